"""The lease that keeps two runs apart: coordination.k8s.io `zktui-maintenance` in each ensemble's namespace.

Taken when it is absent, released, or expired; renewed with its resourceVersion before every change, so that a run that
has lost it can't go on. As in client-go's leader election, another's lease counts as expired only once it was also seen
unchanged for its whole duration by our own clock: wall clocks of two machines may differ.
"""

from __future__ import annotations

from dataclasses import replace

from zktui.core.kube import Lease
from zktui.core.ports import Answer, Refused, Reply
from zktui.maintenance.effects import CreateLease, UpdateLease
from zktui.maintenance.ending import fail
from zktui.maintenance.model import LEASE_NAME
from zktui.maintenance.state import Turn

LEASE_SECONDS = 40
RENEW_EVERY = 10.0
"""Seconds between renewals while nothing is changed."""
RETRY_AFTER = 1.0
"""Seconds before the next try after a refusal or a lost answer."""
RENEWED_LATELY = 5.0
"""Seconds: a change is sent only within so long of a renewal."""


def keep(turn: Turn) -> bool:
    """Hold every lease: take, adopt or renew one where it must be. True when all are ours and nothing was sent."""
    for namespace in turn.state.namespaces:
        reading = turn.facts.leases.get(namespace)
        current = reading.value if reading is not None and reading.fresh(turn.now) else None
        if current is not None and current.holder == turn.state.holder:
            _adopt(turn, current)
        elif current is not None and namespace in turn.state.held and current.holder:
            fail(turn, f"the lease {namespace}/{LEASE_NAME} was lost to {current.holder}")
            return False
        elif namespace not in turn.state.leases or current is not None:
            if reading is not None and reading.fresh(turn.now) and turn.now >= turn.state.lease_at:
                _take(turn, namespace, current)
            return False
    return _renew_due(turn, RENEW_EVERY)


def ready(turn: Turn) -> bool:
    """Whether a change may be sent now. If not, the renewal that it needs has been."""
    return _renew_due(turn, RENEWED_LATELY)


def _renew_due(turn: Turn, age: float) -> bool:
    for namespace in turn.state.namespaces:
        if turn.now - turn.state.renewed.get(namespace, float("-inf")) > age:
            lease = turn.state.leases.get(namespace)
            if lease is None or turn.now < turn.state.lease_at:
                return False
            turn.do(UpdateLease(replace(lease, renewed_at=turn.wall)), "renew", f"renew the lease in {namespace}")
            return False
    return True


def _adopt(turn: Turn, lease: Lease) -> None:
    """Ours as just read; also when the answer to our own request was lost."""
    namespace = lease.namespace
    if turn.state.leases.get(namespace) != lease:
        turn.set(leases={**turn.state.leases, namespace: lease}, held=turn.state.held | {namespace})


def _take(turn: Turn, namespace: str, current: Lease | None) -> None:
    wall = turn.wall
    mine = Lease(
        namespace,
        LEASE_NAME,
        holder=turn.state.holder,
        duration=LEASE_SECONDS,
        acquired_at=wall,
        renewed_at=wall,
        annotations={"zktui/run": turn.run.id},
    )
    if current is None:
        turn.do(CreateLease(mine), "claim", f"take the lease {namespace}/{LEASE_NAME}")
        return
    if current.holder and not _expired(turn, current):
        turn.tell(f"waiting for the lease {namespace}/{LEASE_NAME}, held by {current.holder}")
        return
    taken = replace(
        mine,
        uid=current.uid,
        resource_version=current.resource_version,
        transitions=current.transitions + 1,
        annotations={**current.annotations, **mine.annotations},
    )
    whose = f", which {current.holder} let expire" if current.holder else ""
    turn.do(UpdateLease(taken), "claim", f"take the lease {namespace}/{LEASE_NAME}{whose}")


def _expired(turn: Turn, lease: Lease) -> bool:
    version, since = turn.state.others_lease.get(lease.namespace, ("", turn.now))
    if version != lease.resource_version:
        version, since = lease.resource_version, turn.now
        turn.set(others_lease={**turn.state.others_lease, lease.namespace: (version, since)})
    return lease.expired(turn.wall) and turn.now - since >= lease.duration


def on_reply(turn: Turn, change: CreateLease | UpdateLease, reply: Reply[Lease]) -> None:
    """A lease whose fate is not known is forgotten: the next reading says whose it is."""
    namespace = change.lease.namespace
    leases = {n: lease for n, lease in turn.state.leases.items() if n != namespace}
    if isinstance(reply, Answer) and reply.value.holder == turn.state.holder:
        turn.set(
            leases={**leases, namespace: reply.value},
            renewed={**turn.state.renewed, namespace: reply.at},
            held=turn.state.held | {namespace},
        )
        return
    turn.set(
        leases=leases,
        renewed={n: at for n, at in turn.state.renewed.items() if n != namespace},
        lease_at=turn.now + RETRY_AFTER,
    )
    if isinstance(reply, Refused) and reply.forbidden:
        verb = "create" if isinstance(change, CreateLease) else "update"
        fail(turn, f"not permitted to {verb} leases.coordination.k8s.io in {namespace}: {reply.message}")
