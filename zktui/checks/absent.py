"""Voters of the running configuration that no pod is: a member that was scaled away, or a server elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zktui.checks.inventory import Inventory
from zktui.core.zookeeper import Ensemble, Server


@dataclass(frozen=True, slots=True)
class Absent:
    scaled_away: tuple[Server, ...] = ()
    """By their name they are pods of this StatefulSet, and there is no such pod: they serve nobody."""
    elsewhere: tuple[Server, ...] = ()
    """Whether these serve can't be told from here."""


def absent_voters(inventory: Inventory) -> Absent:
    """None of them where the configuration, or the pods, are not known."""
    config = inventory.config.value
    if config is None or not inventory.pods:
        return Absent()
    there = {server.myid for pod in inventory.pods if (server := config.server_of(pod)) is not None}
    found = [server for server in config.voters if server.myid not in there]
    mine = tuple(server for server in found if is_own_name(inventory.ensemble, server.host))
    return Absent(mine, tuple(server for server in found if server not in mine))


def is_own_name(ensemble: Ensemble, host: str) -> bool:
    """It is the name that the StatefulSet gives a pod, whether there is one of it or not."""
    sts = ensemble.statefulset
    labels = host.split(".")
    named = re.fullmatch(rf"{re.escape(sts.name)}-\d+", labels[0]) is not None
    service = len(labels) < 2 or labels[1] == sts.service
    return named and service and (len(labels) < 3 or labels[2] == sts.namespace)


def pod_of(host: str) -> str:
    return host.partition(".")[0]
