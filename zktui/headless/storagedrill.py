"""`zktui drill storage`: the StatefulSet is deleted and applied again, and what was written before is found."""

from __future__ import annotations

from dataclasses import dataclass

from zktui.core.text import printable
from zktui.drills.desk import Drills
from zktui.drills.model import StorageOutcome, StorageReview
from zktui.drills.undo import BY_HAND, Undo
from zktui.errors import EXIT_BLOCKED, EXIT_DONE, EXIT_FAILED, Blocked
from zktui.headless.drill import Output, chosen, confirmed, drills_of, teller, told
from zktui.headless.output import say, warn
from zktui.session import Session


@dataclass(frozen=True, slots=True)
class StorageRequest:
    name: str = ""
    orphan: bool = True
    accept_outage: bool = False
    finish: bool = False
    yes: bool = False
    output: Output = "text"


async def drill_storage(session: Session, request: StorageRequest) -> int:
    """Delete, apply again, find the data. 0 when it is all there, 1 when not, 3 while an earlier one waits for its end.

    Raises ZktuiError.
    """
    drills = drills_of(session)
    left = drills.unfinished()
    if request.finish:
        return await _finish(drills, left, request)
    if left:
        for which in left:
            warn(left_words(which))
        return EXIT_BLOCKED
    view = await chosen(session, name=request.name)
    reviewed = await drills.review_storage(view.ensemble, orphan=request.orphan, accept_outage=request.accept_outage)
    if request.output == "text":
        say(_review(reviewed))
    if not reviewed.go:
        raise Blocked("Nothing was deleted.", f"Not now: {printable(reviewed.refusals[0])}.")
    question = (
        f"\nThis deletes the StatefulSet {printable(reviewed.word)} and creates it again. Type its name to go on: "
    )
    typed = await confirmed(question, reviewed.word, yes=request.yes)
    if typed is None:
        return EXIT_FAILED
    tell = teller(request.output)
    outcome = await told(lambda: drills.storage(reviewed, typed, tell, accept_outage=request.accept_outage))
    return _conclude(outcome, request)


async def _finish(drills: Drills, left: tuple[Undo, ...], request: StorageRequest) -> int:
    mine = [which for which in left if request.name in ("", which.name, f"{which.namespace}/{which.name}")]
    if not mine:
        say("No storage drill of this cluster waits for its end.")
        return EXIT_DONE
    codes = [
        _conclude(await told(lambda which=which: drills.finish(which, teller(request.output))), request)
        for which in mine
    ]
    return max(codes)


def left_words(which: Undo) -> str:
    """What a person needs who finds a drill cut off."""
    state = "is under way on this machine" if which.under_way else "did not come to its end"
    lines = [
        f"A storage drill of {printable(which.namespace)}/{printable(which.name)} {state}.",
        "Its end: zktui drill storage --finish; or by hand, where the StatefulSet is not there:",
        *(f"  {printable(line)}" for line in which.lines()),
        f"The same, explained: {printable(str(which.folder / BY_HAND))}",
    ]
    return "\n".join(lines)


def _review(reviewed: StorageReview) -> str:
    ensemble = reviewed.ensemble
    cascade = "orphan" if reviewed.orphan else "background"
    who = f"{printable(ensemble.namespace)}/{printable(ensemble.name)}"
    lines = [f"{who}: delete the StatefulSet (--cascade={cascade}), and create it again as it was"]
    lines += [f"  · {printable(text)}" for text in reviewed.remarks]
    return "\n".join([*lines, *(f"  ✗ {printable(why)}" for why in reviewed.refusals)])


def _conclude(outcome: StorageOutcome, request: StorageRequest) -> int:
    if request.output == "text":
        steps = (("gone", outcome.gone), ("there again", outcome.applied), ("whole", outcome.whole))
        times = ", ".join(f"{what} after {at:.1f} s" for what, at in steps if at is not None)
        say(f"\n{printable(outcome.name)}: {times or 'nothing of it was seen'}")
        if outcome.found and not outcome.looked:
            say("nothing was left to find; what the drill had written is cleared up")
        elif outcome.found:
            say(f"what was written before is on {', '.join(map(printable, outcome.found))}")
        for line in (*outcome.missing, *((outcome.why,) if outcome.why else ())):
            say(f"✗ {printable(line)}")
        say(f"kept in {printable(str(outcome.folder))}")
    return EXIT_DONE if outcome.well else EXIT_FAILED
