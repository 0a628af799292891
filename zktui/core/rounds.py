"""What a round through an ensemble has shown: a write through each member, read back through every other.

The tutorial's sanity test (`create /hello world` on one member, `get /hello` on the next) for all members at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from zktui.core.zookeeper import Zxid


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step of a round has failed."""

    why: str
    """One line for people."""
    told: bool = True
    """The member itself is the reason. False where it could not be asked: the way to it was refused, or an ACL is in
    the way; that says nothing of the member."""


@dataclass(frozen=True, slots=True)
class Write:
    """One znode that was to be created through one member."""

    member: str
    """Pod name."""
    path: str
    seconds: float = 0.0
    """From the request to the acknowledgement, which a majority has given."""
    zxid: Zxid | None = None
    """czxid of the znode."""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """One member's look, after a `sync`, at what was written through another."""

    member: str
    """Pod name of the member that was read from."""
    writer: str
    """Pod name of the member that it was written through."""
    synced: float = 0.0
    """Seconds for the `sync`."""
    seconds: float = 0.0
    """Seconds for the read behind it."""
    zxid: Zxid | None = None
    """czxid, as this member has it."""
    same: bool = False
    """Data and czxid are those that were written."""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Everything of one round, in the order of the members."""

    writes: tuple[Write, ...] = ()
    reads: tuple[Read, ...] = ()
    left: tuple[str, ...] = ()
    """Znodes whose deletion was not confirmed. They are ephemeral: each goes with its session, at the latest when
    that expires."""
    expires: float = 0.0
    """Seconds until such a session expires, once nothing is heard of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A znode as one member has it, after a `sync` with its leader."""

    data: bytes
    zxid: Zxid
    """czxid: the transaction that has made it."""
