"""What the clients of a moved member feel, against how long their sessions last."""

from __future__ import annotations

from collections.abc import Iterator

from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Finding, Level

CLIENT_GAP = 4.0
"""Seconds until a client of a moved member is served again, as kazoo clients were seen (3.7 to 4.1 s): most of it a
dead pod's address and the client's own back-off."""


def shortest_timeout(facts: Facts, ensemble: Ensemble) -> tuple[float, bool]:
    """Seconds of the shortest session timeout, and whether a session was seen that has it (`cons`).

    Where `cons` is closed it is the least that can be negotiated: minSessionTimeout as `conf`, the command or the
    environment tells it, by default 2 x tickTime (ZooKeeper Administrator's Guide).
    """
    told = [facts.sessions[p.uid] for p in facts.members_pods(ensemble) if p.uid in facts.sessions]
    seen = [s.shortest for s in told if s.shortest is not None]
    if seen:
        return min(seen) / 1000, True
    least = [s.min_timeout for s in told if s.min_timeout is not None and s.min_timeout > 0]
    configured = ensemble.min_session_timeout or 2 * ensemble.tick_time
    return min(least, default=configured) / 1000, False


def session_findings(facts: Facts, ensemble: Ensemble) -> Iterator[Finding]:
    timeout, seen = shortest_timeout(facts, ensemble)
    if timeout < CLIENT_GAP:
        name = f"{ensemble.namespace}/{ensemble.name}"
        what = (
            f"sessions with a timeout of {timeout:g} s are open" if seen else f"sessions may time out in {timeout:g} s"
        )
        text = (
            f"{name}: {what}, and a client of a moved member is away for about {CLIENT_GAP:g} s: its ephemeral znodes"
        )
        yield Finding(Level.WARN, f"{text} would be deleted", "longer session timeouts", "session-timeout")
