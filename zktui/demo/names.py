"""Generated names, and times as Kubernetes writes them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes generated names of: no vowels, so no words."""


def random_suffix(length: int = 5) -> str:
    """The end of a generated name."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def now() -> str:
    """The current time as Kubernetes writes a ``metav1.Time``: UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_micro() -> str:
    """The current time as a ``metav1.MicroTime``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The inverse of :func:`now` and :func:`now_micro`."""
    return datetime.fromisoformat(text)


def is_time(text: str) -> bool:
    """Is it one, with its zone?"""
    try:
        return parse_time(text).tzinfo is not None
    except ValueError:
        return False


def ordinal(set_name: str, pod_name: str) -> int:
    """The pod's number; -1 for a name that is not of this set."""
    match = re.fullmatch(rf"{re.escape(set_name)}-(\d+)", pod_name)
    return int(match[1]) if match else -1
