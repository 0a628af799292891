"""`zktui drill process` and `zktui drill storage`: something is broken on purpose, and followed until it is well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from zktui.core.text import printable
from zktui.core.view import EnsembleView
from zktui.drills.desk import Drills
from zktui.drills.model import ProcessOutcome, ProcessReview
from zktui.errors import EXIT_DONE, EXIT_FAILED, Blocked, UsageError, ZktuiError
from zktui.headless.console import interactive, interrupts, read_line
from zktui.headless.output import say, say_json, warn
from zktui.headless.status import SETTLE, nothing_found
from zktui.maintenance.journal import to_json
from zktui.maintenance.model import Event, Standing
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session

MARKS = {Standing.OK: "✓", Standing.WAITING: "…", Standing.BLOCKED: "✗"}

Output = Literal["text", "jsonl"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessRequest:
    member: str
    yes: bool = False
    output: Output = "text"


async def drill_process(session: Session, request: ProcessRequest) -> int:
    """End one member's server and follow it. 0 when it is back, 1 when it is not. Raises ZktuiError."""
    drills = drills_of(session)
    view = await chosen(session, member=request.member)
    reviewed = await drills.review_process(view.ensemble, request.member)
    if request.output == "text":
        say(review_words(reviewed))
    if not reviewed.go:
        raise Blocked(f"The server of {printable(request.member)} was not ended.", _closed(reviewed))
    question = f"\nThis ends the ZooKeeper server in {printable(request.member)}. Type its name to go on: "
    typed = await confirmed(question, reviewed.word, yes=request.yes)
    if typed is None:
        return EXIT_FAILED
    outcome = await told(lambda: drills.process(reviewed, typed, teller(request.output)))
    if request.output == "text":
        say(outcome_words(outcome))
    return EXIT_DONE if outcome.well else EXIT_FAILED


def drills_of(session: Session) -> Drills:
    if session.drills is None:
        raise ZktuiError("There is no way to drill here.")
    if session.settings.read_only:
        raise UsageError("A drill breaks something on purpose, and --read-only forbids that.", "Give one of them.")
    return session.drills


async def chosen(session: Session, *, member: str = "", name: str = "") -> EnsembleView:
    """The ensemble of this member, or of this name; the only one there is where neither is given. Raises ZktuiError."""
    try:
        await session.store.until(lambda view: view.loaded, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time.")
    view = session.store.refreshed()
    if not view.ensembles:
        raise nothing_found(session)
    found = [e for e in view.ensembles if _is_meant(e, member, name)]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"{e.ensemble.namespace}/{e.ensemble.name}" for e in found or view.ensembles)
    if not found:
        raise UsageError(
            f"There is no {printable(member or name)} in {printable(shown)}.", "zktui status shows what is."
        )
    raise UsageError(f"Several are meant: {printable(shown)}.", "Choose one with --ensemble NAMESPACE/NAME.")


def _is_meant(view: EnsembleView, member: str, name: str) -> bool:
    if member:
        return any(m.pod.name == member for m in view.members)
    return not name or name in (view.ensemble.name, f"{view.ensemble.namespace}/{view.ensemble.name}")


async def confirmed(question: str, word: str, *, yes: bool) -> str | None:
    """What was typed, or the word itself for --yes; None when it is something else. Raises UsageError."""
    if yes:
        return word
    if not interactive():
        raise UsageError("There is no terminal to ask whether to begin.", "Give --yes.")
    say(question)
    typed = (await read_line() or "").strip()
    if typed != word:
        say("Nothing was changed.")
        return None
    return typed


async def told(work: Callable[[], Awaitable[T]]) -> T:
    """The drill's outcome. It can't be broken off: Ctrl-C is answered, and it goes on to its end. Raises Blocked."""

    def heard(_: object) -> None:
        warn("It goes on to its end: what was broken is followed until it is well.")

    with interrupts(heard):
        try:
            return await work()
        except CannotBegin as refused:
            raise Blocked(refused.message, refused.hint) from refused


def teller(output: Output) -> Callable[[Event], None]:
    """Prints each event as it happens."""

    def tell(event: Event) -> None:
        if output == "jsonl":
            say_json(to_json(event))
            return
        at = datetime.fromtimestamp(event.wall).astimezone().strftime("%H:%M:%S")
        seconds = event.data.get("seconds")
        after = f"   +{seconds:.1f} s" if isinstance(seconds, int | float) else ""
        say(f"{at}  {printable(event.text)}{after}")

    return tell


def review_words(reviewed: ProcessReview) -> str:
    who = f"{reviewed.ensemble.namespace}/{reviewed.ensemble.name}"
    role = "the leader: an election follows" if reviewed.leads else "no leader"
    lines = [f"{printable(who)}: end the server of {printable(reviewed.member)} ({role})"]
    if reviewed.process is not None:
        lines.append(f"  process {reviewed.process.pid}, {printable(reviewed.process.program)}, by SIGTERM")
    lines += [f"  {MARKS[g.standing]} {g.name}: {printable(g.evidence)}" for g in reviewed.gates]
    return "\n".join([*lines, *(f"  ✗ {printable(why)}" for why in reviewed.refusals)])


def _closed(reviewed: ProcessReview) -> str:
    if reviewed.refusals:
        return f"{printable(reviewed.refusals[0])}."
    gate = reviewed.blocked[0]
    needs = f"; it takes: {printable(gate.unblock)}" if gate.unblock else ""
    return f"The {gate.name} gate is closed: {printable(gate.evidence)}{needs}."


def outcome_words(outcome: ProcessOutcome) -> str:
    steps = (
        ("silent", outcome.stopped),
        ("another led", outcome.elected),
        ("started again", outcome.restarted),
        ("Ready", outcome.ready),
        ("rejoined", outcome.rejoined),
    )
    times = ", ".join(f"{what} after {at:.1f} s" for what, at in steps if at is not None)
    lines = ["", f"{printable(outcome.member)}: {times or 'nothing of it was seen'}"]
    lines.append(f"without a quorum: {outcome.below:.1f} s; leader now: {printable(outcome.leader) or 'none'}")
    if outcome.why:
        lines.append(f"{printable(outcome.why)}.")
    return "\n".join([*lines, f"journal: {printable(str(outcome.journal))}"])
