"""Who serves, reading by reading: how many more voters may be lost, and since when the run itself exposes an ensemble.

Each change goes to the journal with the moments of the readings around it, so that a report can say how long an outage
was at least and at most, and not more exactly than was looked.
"""

from __future__ import annotations

from zktui.core.quorum import Health, Quorum, judge, members_of
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.model import JsonValue, PodStep
from zktui.maintenance.state import Seen, Turn

AWAY = (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)


def watch_quorum(turn: Turn) -> None:
    """Fold the newest reading into `Run.spare` and `Run.exposed_since`, and tell the journal what has changed."""
    configs = {e.key: config for e in turn.state.ensembles if (config := turn.facts.config(e)) is not None}
    turn.set(configs={**turn.state.configs, **configs})
    quorums = [(ensemble, _quorum(turn, ensemble)) for ensemble in turn.state.ensembles]
    for ensemble, quorum in quorums:
        _tell(turn, ensemble, quorum)
    exposed = any(_away(turn, ensemble) and not _whole(quorum) for ensemble, quorum in quorums)
    since = turn.run.exposed_since if turn.run.exposed_since is not None else turn.now
    turn.set_run(spare=_spare([quorum for _, quorum in quorums]), exposed_since=since if exposed else None)


def _quorum(turn: Turn, ensemble: Ensemble) -> Quorum:
    """As just read, by the newest configuration that was: it is not asked for while nothing is decided."""
    listed = turn.facts.pods.get(ensemble.key)
    config = turn.state.configs.get(ensemble.key)
    if listed is None or listed.value is None:
        voters = len(config.voters) if config is not None else 0
        return Quorum(Health.UNKNOWN, voters, 0, why=listed.why if listed is not None else "not read")
    pods = turn.facts.members_pods(ensemble)
    return judge(members_of(pods, turn.facts.reports, config), config, turn.now)


def _spare(quorums: list[Quorum]) -> int | None:
    """Of the ensemble that can spare the fewest; below 0 when there is no quorum; None when one is not known."""
    if not quorums or any(quorum.health is Health.UNKNOWN for quorum in quorums):
        return None
    # Followers may still say so for seconds after their leader froze: their number is no quorum then.
    spares = (q.serving - q.majority if q.health is Health.QUORUM else min(-1, q.serving - q.majority) for q in quorums)
    return min(spares)


def _whole(quorum: Quorum) -> bool:
    return quorum.health is Health.QUORUM and quorum.serving == quorum.voters


def _away(turn: Turn, ensemble: Ensemble) -> bool:
    """A member is away, or on its way, because this run evicted it."""
    pods = (pod for node in turn.run.nodes for pod in node.pods if pod.member and pod.ensemble == ensemble.key)
    return any(pod.step in AWAY for pod in pods)


def _tell(turn: Turn, ensemble: Ensemble, quorum: Quorum) -> None:
    old = turn.state.seen.get(ensemble.key)
    reading = (turn.facts.at, turn.now)
    new = Seen(quorum.health.value, quorum.serving, quorum.leader, reading)
    turn.set(seen={**turn.state.seen, ensemble.key: new})
    if old is not None and (old.health, old.serving, old.leader) == (new.health, new.serving, new.leader):
        return
    data: dict[str, JsonValue] = {
        "ensemble": f"{ensemble.namespace}/{ensemble.name}",
        "health": new.health,
        "serving": quorum.serving,
        "voters": quorum.voters,
        "leader": quorum.leader,
        "epoch": quorum.epoch,
        "reading": [*reading],
        "before": [*old.reading] if old is not None else None,
    }
    turn.say("quorum", f"{ensemble.name}: {who_serves(quorum)}", data=data)


def who_serves(quorum: Quorum) -> str:
    """What was counted is told only where it is an answer: of voters that were not heard, nobody knows."""
    if quorum.health is Health.UNKNOWN:
        return f"who serves is not known: {quorum.why}"
    counted = f"{quorum.serving} of {quorum.voters} voters serve"
    return f"{counted}, " + (f"{quorum.leader} leads" if quorum.health is Health.QUORUM else f"no quorum: {quorum.why}")
