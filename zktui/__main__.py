"""`python -m zktui`."""

from __future__ import annotations

import sys

from zktui.cli import main

sys.exit(main())
