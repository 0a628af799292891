"""What the composition root hands to a front end: the store and the ports, already connected."""

from __future__ import annotations

from dataclasses import dataclass

from zktui.core.ports import Clock, Cluster, LogSource, Members, Place, Trees
from zktui.core.store import Store
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
