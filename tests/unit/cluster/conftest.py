from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.apiserver import ApiServer, always
from zktui.cluster.connect import Connection, connect
from zktui.cluster.heartbeat import Beat
from zktui.cluster.transport import Timeouts
from zktui.cluster.watching import Rhythm

QUICK = Rhythm(beat=Beat(0.05, 0.3), silence=5.0, first_pause=0.01, longest_pause=0.05, denied_pause=0.05)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    api = ApiServer()
    api.start()
    api.on("GET", "/livez", always("ok"))
    api.on("GET", "/version", always({"gitVersion": "v1.37.2"}))
    yield api
    api.stop()


@pytest.fixture
def open_to(server: ApiServer, tmp_path: Path) -> Iterator[Callable[..., Connection]]:
    """A connection to the server, with quick timings that can be replaced."""
    made: list[Connection] = []

    def make(**changes: Any) -> Connection:
        arguments: dict[str, Any] = {"timeouts": Timeouts(1.0, 1.0, 1.0), "rhythm": QUICK, **changes}
        connection = connect(server.kubeconfig(tmp_path), **arguments)
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()
