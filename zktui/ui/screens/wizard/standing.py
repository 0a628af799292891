"""One second's answer: is it safe? One figure, word, sign and colour for the ensemble; another word for the run."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from zktui.core.quorum import Health, Quorum
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.model import NodeStep, PodRun, PodStep, Run, RunStatus
from zktui.ui.alarm import unplanned
from zktui.ui.screens.wizard.words import listed, span

AWAY = (PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)
"""Steps in which a member does not serve by our doing."""


class Light(enum.StrEnum):
    """The colour of the answer; also the CSS class of the band that shows it."""

    SAFE = "safe"
    WAITING = "waiting"
    BLOCKED = "blocked"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Answer:
    light: Light
    sign: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Safety:
    """How many more voters may be lost, and whether that is as it should be; two short lines say what it counts."""

    light: Light
    sign: str
    word: str
    figure: str = ""
    """What is set large: a number, or `x` or `?` where no number is true."""
    lines: tuple[str, str] = ("more may", "be lost")


UNSAFE = ("unknown is", "not safe")
NOTHING = Safety(Light.IDLE, "–", "NO MEMBERS", "", ("no ensemble", "to judge"))


def safety(run: Run, key: EnsembleKey | None, quorum: Quorum | None) -> Safety:
    """The ensemble in one glance. None left to lose is amber while it is only what this run takes away, else red."""
    if quorum is None or key is None:
        return NOTHING
    if quorum.health is Health.NO_QUORUM:
        return Safety(Light.BLOCKED, "✖", "NO QUORUM", "x", ("nothing can", "be written"))
    if quorum.health is Health.UNKNOWN:
        return Safety(Light.WAITING, "?", "UNKNOWN", "?", UNSAFE)
    figure = str(quorum.can_lose)
    if quorum.can_lose:
        return Safety(Light.SAFE, "●", "SAFE", figure)
    if unplanned(run, key, quorum):
        return Safety(Light.BLOCKED, "✖", "DANGER", figure)
    return Safety(Light.WAITING, "▲", "EXPOSED", figure)


def away(run: Run) -> tuple[PodRun, ...]:
    """Members that this run has evicted and that do not serve again yet."""
    return tuple(pod for node in run.nodes for pod in node.pods if pod.member and pod.step in AWAY)


def answer(run: Run, quorum: Quorum | None, now: float) -> Answer:
    """The run in one second. `quorum` is the ensemble's newest; None when there is none to judge."""
    match run.status:
        case RunStatus.DONE:
            return _done(run)
        case RunStatus.FAILED:
            return Answer(Light.BLOCKED, "✖", "FAILED", _left(run, run.message))
        case RunStatus.ABORTED:
            return Answer(Light.BLOCKED, "✖", "ABORTED", _left(run, run.message or "You stopped this run"))
        case _:
            return _going(run, quorum, now)


def _done(run: Run) -> Answer:
    """A node that was skipped was not maintained: whoever looks up must not take it for done."""
    skipped = [node.name for node in run.nodes if node.step is NodeStep.SKIPPED]
    if not skipped:
        return Answer(Light.SAFE, "✔", "DONE", _left(run, "Every node of the plan is through"))
    verb = "was" if len(skipped) == 1 else "were"
    return Answer(Light.WAITING, "✔", "DONE", _left(run, f"All but {listed(skipped)}, which {verb} skipped"))


def _left(run: Run, message: str) -> str:
    """The first sentence of the run's last word, and what is left cordoned; the summary has the whole."""
    first = f"{message.partition('. ')[0].rstrip('.')}."
    if not run.cordoned:
        return f"{first} No node is left cordoned by this run."
    verb = "is" if len(run.cordoned) == 1 else "are"
    return f"{first} {listed(run.cordoned)} {verb} still cordoned."


def _going(run: Run, quorum: Quorum | None, now: float) -> Answer:
    if quorum is not None and quorum.health is Health.NO_QUORUM:
        lost = f"{quorum.phrase().capitalize()}. Nothing is evicted until it is back."
        return Answer(Light.BLOCKED, "✖", "NO QUORUM", lost)
    if run.aborting:
        return Answer(Light.WAITING, "■", "STOPPING", run.in_flight or "The run ends after the change under way.")
    if run.status is RunStatus.PAUSED:
        why = run.message.removeprefix("Paused").removeprefix(": ")
        told = f"{why[:1].upper()}{why[1:]}. " if why else ""
        return Answer(
            Light.WAITING, "‖", "PAUSED", f"{told}{_exposed(run, now)}" or "Nothing is sent until you resume."
        )
    if run.pausing:
        return Answer(Light.WAITING, "‖", "PAUSING", run.in_flight or "The run pauses after the change under way.")
    if run.blocked:
        gate = run.blocked[0]
        return Answer(Light.BLOCKED, "■", "BLOCKED", f"{gate.name.value.capitalize()}: {gate.evidence}")
    if run.node is not None and run.node.step is NodeStep.HOLD:
        return _holding(run, quorum, now)
    if exposed := _exposed(run, now):
        return Answer(Light.WAITING, "…", "WAITING", exposed)
    asked = [pod.pod.name for pod in (run.node.pods if run.node else ()) if pod.member and pod.step is PodStep.EVICT]
    if asked:
        return Answer(Light.WAITING, "…", "WAITING", f"The server is asked to let {listed(asked)} go.")
    waiting = [gate for gate in run.gates if not gate.open]
    if waiting:
        return Answer(Light.WAITING, "…", "WAITING", f"{waiting[0].name.value.capitalize()}: {waiting[0].evidence}")
    if quorum is not None and quorum.health is Health.UNKNOWN:
        return Answer(Light.WAITING, "?", "UNKNOWN", f"Quorum is {quorum.phrase()}. Unknown is no: nothing is evicted.")
    return Answer(Light.SAFE, "▸", "WORKING", run.message or "Every member serves.")


def _holding(run: Run, quorum: Quorum | None, now: float) -> Answer:
    name = run.node.name if run.node else ""
    yours = f"{name} is drained and yours: press u when you are done with it."
    gone = away(run)
    if quorum is not None and quorum.health is Health.UNKNOWN:
        return Answer(Light.WAITING, "?", "YOURS", f"{yours} Quorum is {quorum.phrase()}.")
    if not gone:
        return Answer(Light.SAFE, "●", "YOURS", yours)
    names, since = listed(pod.pod.name for pod in gone), _since(gone, now)
    away_for = f": away for {since}" if since else ""
    return Answer(Light.WAITING, "…", "YOURS", f"{yours} {names} can't come back before{away_for}.")


def _exposed(run: Run, now: float) -> str:
    """Which members are not back, and how long ago the first of them was evicted; empty when all are."""
    gone = away(run)
    if not gone:
        return ""
    note = f": {gone[0].note}" if len(gone) == 1 and gone[0].note else ""
    names, since = listed(pod.pod.name for pod in gone), _since(gone, now)
    verb = "are" if gone[1:] else "is"
    return f"{names} evicted {since} ago{note}." if since else f"{names} {verb} not back yet{note}."


def _since(gone: Sequence[PodRun], now: float) -> str:
    """For how long the first of them is away; empty where it is not known: the run was taken up from somebody."""
    since = min((pod.evicted_at for pod in gone if pod.evicted_at is not None), default=None)
    return "" if since is None else span(now - since)
