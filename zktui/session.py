"""What the composition root hands to a front end: the store and the ports, already connected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zktui.checks.inspector import Inspects
from zktui.core.ports import Clock, Cluster, LogSource, Members, Objects, Place, Probe, Trees
from zktui.core.store import Store
from zktui.drills.desk import Drills
from zktui.maintenance.desk import Desk
from zktui.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """One connection to one cluster, live until `wiring` closes it."""

    settings: Settings
    place: Place
    clock: Clock
    store: Store
    cluster: Cluster
    members: Members
    logs: LogSource
    trees: Trees
    desk: Desk
    inspector: Inspects
    objects: Objects | None = None
    """Objects of any kind, to be read and changed; None where there is no API server (frozen views)."""
    drills: Drills | None = None
    """Where drills are begun; None where there is no cluster to break anything in."""
    probe: Callable[[bool], Probe] | None = None
    """A new probe, not started; with True it also writes."""
    begin: Callable[[], None] = lambda: None
    """Start the streams. A front end calls it once it is ready to show what comes: the interactive program after its
    first paint, since threads that start before it double the time to it."""
