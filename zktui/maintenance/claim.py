"""The lease that keeps two runs apart: coordination.k8s.io `zktui-maintenance` in each ensemble's namespace.

Taken when it is absent, released, or expired; renewed with its resourceVersion before every change, so that a run that
has lost it can't go on. The same request writes the run's state, so that the lease says what is about to be done
before it is. As in client-go's leader election, another's lease counts as expired only once it was seen unchanged for
its whole duration by our own clock: the wall clocks of two machines may differ by minutes. One that expired with its
run unfinished is not taken for another run: someone has to resume that one or end it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from zktui.core.kube import Lease
from zktui.core.ports import Answer, Refused, Reply
from zktui.maintenance.effects import CreateLease, UpdateLease
from zktui.maintenance.ending import fail
from zktui.maintenance.model import HOME_ANNOTATION, LEASE_NAME, RUN_ANNOTATION, STATE_ANNOTATION
from zktui.maintenance.record import RecordError, annotate, from_record, to_record, words_if_too_large
from zktui.maintenance.state import Turn

LEASE_SECONDS = 40
RENEW_EVERY = 10.0
"""Seconds between renewals while nothing is changed."""
RETRY_AFTER = 1.0
"""Seconds before the next try after a refusal or a lost answer."""
RENEWED_LATELY = 5.0
"""Seconds: a change is sent only within so long of a renewal."""
NEWS_AFTER = 1.0
"""Seconds after a renewal before another one that only tells what has happened since."""


def keep(turn: Turn) -> bool:
    """Hold every lease: take, adopt or renew one where it must be. True when all are ours and nothing was sent."""
    for namespace in turn.state.namespaces:
        reading = turn.facts.leases.get(namespace)
        current = reading.value if reading is not None and reading.fresh(turn.now) else None
        if current is not None and current.holder == turn.state.holder:
            _adopt(turn, current)
        elif current is not None and namespace in turn.state.held and current.holder:
            _lose(turn, current)
            return False
        elif namespace not in turn.state.leases or current is not None:
            if reading is not None and reading.fresh(turn.now) and turn.now >= turn.state.lease_at:
                _take(turn, namespace, current)
            return False
    return _written(turn, RENEW_EVERY)


def _lose(turn: Turn, lease: Lease) -> None:
    """Stop. Whoever took this very run over goes on with it: its cordons are theirs, and no line tells to undo them."""
    lost = f"the lease {lease.namespace}/{lease.name} was lost to {lease.holder or 'someone who has released it since'}"
    if lease.annotations.get(RUN_ANNOTATION) != turn.run.id:
        fail(turn, lost)
        return
    names = turn.run.cordoned
    for name in names:
        turn.set_named(name, cordoned_by_us=False)
    stays = f"Cordoned for it: {', '.join(names)}." if names else ""
    fail(turn, f"{lost}, where this run goes on: nothing is to be undone here", stays)


def report(turn: Turn) -> None:
    """Write down what has happened since the last renewal, where no change follows that would say it as well."""
    _written(turn, RENEW_EVERY, NEWS_AFTER)


def ready(turn: Turn, what: str, whom: str) -> bool:
    """Whether a change may be sent now: the lease is ours and says that it is about to be. If not, it is being told."""
    turn.set(intent=(what, whom))
    return _written(turn, RENEWED_LATELY, 0.0)


def _written(turn: Turn, age: float, news: float = float("inf")) -> bool:
    """Whether every lease was renewed within `age` seconds, and what is not in it yet within `news` seconds."""
    state = turn.state
    lasting = to_record(state, lasting=True)
    for namespace in state.namespaces:
        since = turn.now - state.renewed.get(namespace, float("-inf"))
        told = namespace == state.home and lasting != state.written
        if since <= age and not (told and since >= news):
            continue
        lease = state.leases.get(namespace)
        if lease is None or turn.now < state.lease_at:
            return False
        _send(turn, replace(lease, renewed_at=turn.wall), "renew", f"renew the lease in {namespace}")
        return False
    return True


def _send(turn: Turn, lease: Lease, kind: str, text: str) -> None:
    """Create or replace a lease, with the state that it is to keep."""
    lease = replace(lease, annotations=annotate(turn.state, lease))
    kept = lease.annotations.get(STATE_ANNOTATION, "")
    large = words_if_too_large(kept, len(turn.run.nodes))
    if large:
        fail(turn, f"the run's state can't be kept: {large}")
        return
    lasting = to_record(turn.state, lasting=True)
    if kept:
        turn.set(writing=lasting)
    # The journal has it as well: a lease can be deleted.
    data = {"state": json.loads(kept)} if kept and lasting != turn.state.written else None
    turn.do(UpdateLease(lease) if lease.uid else CreateLease(lease), kind, text, data=data)


def last_look(turn: Turn) -> None:
    """A run that ends has read whose the leases are whose writing was not answered: its own are to be released."""
    for namespace in turn.state.adrift:
        reading = turn.facts.leases.get(namespace)
        if reading is None or (reading.value is None and not reading.absent):
            continue
        turn.set(adrift=turn.state.adrift - {namespace})
        if reading.value is not None and reading.value.holder == turn.state.holder:
            _adopt(turn, reading.value)


def _adopt(turn: Turn, lease: Lease) -> None:
    """Ours as just read; also when the answer to our own request was lost."""
    namespace = lease.namespace
    if turn.state.leases.get(namespace) != lease:
        turn.set(leases={**turn.state.leases, namespace: lease}, held=turn.state.held | {namespace})


def _take(turn: Turn, namespace: str, current: Lease | None) -> None:
    state, where = turn.state, f"{namespace}/{LEASE_NAME}"
    mine = Lease(
        namespace,
        LEASE_NAME,
        holder=state.holder,
        duration=LEASE_SECONDS,
        acquired_at=turn.wall,
        renewed_at=turn.wall,
    )
    judged_gone = state.takes.get(namespace) if namespace not in state.held else None
    if judged_gone is not None and (current is None or current.resource_version != judged_gone):
        if current is not None:
            _lose(turn, current)
        else:
            fail(turn, f"the lease {where} was deleted meanwhile")
        return
    if current is None:
        _send(turn, mine, "claim", f"take the lease {where}")
        return
    if current.holder and judged_gone is None and not _expired(turn, current):
        turn.tell(f"waiting for the lease {where}, held by {current.holder}")
        return
    other = unfinished_in(current, turn.run.id)
    if other:
        fail(turn, other)
        return
    taken = replace(
        mine,
        uid=current.uid,
        resource_version=current.resource_version,
        transitions=current.transitions + 1,
        annotations=current.annotations,
    )
    whose = f", which {current.holder} left" if current.holder else ""
    _send(turn, taken, "claim", f"take the lease {where}{whose}")


def unfinished_in(lease: Lease, run_id: str) -> str:
    """Why this lease, though nobody holds it, is not for a run of this id, in words; empty when it may be taken."""
    run, kept = lease.annotations.get(RUN_ANNOTATION, ""), lease.annotations.get(STATE_ANNOTATION)
    if run == run_id:
        return ""
    where = f"the lease {lease.namespace}/{lease.name}"
    if kept is None:
        home = lease.annotations.get(HOME_ANNOTATION, "")
        held = f"{where} is of the unfinished run {run}: zktui where -n {home} tells of it"
        return held if home and lease.holder else ""
    try:
        found = from_record(kept)
    except RecordError as error:
        return f"{where} is of the run {run}. {error} See zktui where"
    if found.status.ended:
        return ""
    return f"{where} has the unfinished run {found.run_id} of {found.who}: zktui resume or zktui abort comes first"


def _expired(turn: Turn, lease: Lease) -> bool:
    version, since = turn.state.others_lease.get(lease.namespace, ("", turn.now))
    if version != lease.resource_version:
        version, since = lease.resource_version, turn.now
        turn.set(others_lease={**turn.state.others_lease, lease.namespace: (version, since)})
    return turn.now - since >= lease.duration


def on_reply(turn: Turn, change: CreateLease | UpdateLease, reply: Reply[Lease]) -> None:
    """A lease whose fate is not known is forgotten: the next reading says whose it is."""
    namespace = change.lease.namespace
    leases = {n: lease for n, lease in turn.state.leases.items() if n != namespace}
    if isinstance(reply, Answer) and reply.value.holder == turn.state.holder:
        turn.set(
            leases={**leases, namespace: reply.value},
            renewed={**turn.state.renewed, namespace: reply.at},
            held=turn.state.held | {namespace},
            adrift=turn.state.adrift - {namespace},
        )
        if namespace == turn.state.home:
            turn.set(written=turn.state.writing)
        return
    turn.set(
        leases=leases,
        renewed={n: at for n, at in turn.state.renewed.items() if n != namespace},
        lease_at=turn.now + RETRY_AFTER,
        adrift=turn.state.adrift | {namespace},
    )
    if isinstance(reply, Refused) and reply.forbidden:
        verb = "create" if isinstance(change, CreateLease) else "update"
        fail(turn, f"not permitted to {verb} leases.coordination.k8s.io in {namespace}: {reply.message}")
