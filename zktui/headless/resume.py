"""`zktui resume` and `zktui abort`: take an unfinished run up, to go on with it or to end it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from zktui.core.text import printable
from zktui.errors import EXIT_DONE, EXIT_FAILED, Blocked, UsageError
from zktui.headless.console import interactive, read_line
from zktui.headless.maintain import watch
from zktui.headless.output import say, warn
from zktui.headless.where import describe, headline, ready, standing
from zktui.maintenance.desk import Desk
from zktui.maintenance.model import Hold, HoldKind, RunStatus, Unfinished
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session

LOOK_EVERY = 1.0
"""Seconds between two looks at a lease that is watched until it has expired."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What the command line asked for. `typed` is the id given with --take-over; `run` may be empty if there is one."""

    run: str = ""
    typed: str = ""
    ending: bool = False
    yes: bool = False
    hold: Hold | None = None
    """In place of the run's own; None keeps that."""
    output: Literal["text", "jsonl"] = "text"


async def take_up(session: Session, taking: Taking) -> int:
    """Find it, ask, wait until it is free, and go on with it. Returns the exit code; raises ZktuiError."""
    await ready(session)
    found = await session.desk.unfinished()
    which = chosen(found, taking)
    if which is None:
        say("Nothing is unfinished.")
        return EXIT_DONE
    _refuse(which, taking)
    if taking.output == "text":
        say(describe(which, session.clock.wall()))
    typed = taking.typed or await _typed(which)
    if not taking.yes and not typed and not await _confirmed(which, taking):
        warn("Nothing was changed.")
        return EXIT_FAILED
    which = await _free(session.desk, which)
    try:
        if taking.ending:
            engine = await session.desk.abandon(which, typed)
        else:
            engine = await session.desk.resume(which, typed, hold=taking.hold)
    except CannotBegin as refused:
        raise Blocked(refused.message, refused.hint) from refused
    code = await watch(engine, jsonl=taking.output != "text")
    ended = taking.ending and engine.run.status is RunStatus.ABORTED
    return EXIT_DONE if ended else code


def chosen(found: tuple[Unfinished, ...], taking: Taking) -> Unfinished | None:
    """The run that is meant; None when there is none. Raises UsageError when that is not clear."""
    if taking.run:
        named = next((each for each in found if each.run_id == taking.run), None)
        if named is None:
            raise UsageError(f"There is no unfinished run {taking.run}.", "zktui where shows what there is.")
        return named
    if len(found) > 1:
        names = ", ".join(each.run_id for each in found)
        raise UsageError(f"Several runs are unfinished: {names}.", "Name one of them.")
    return found[0] if found else None


def _refuse(which: Unfinished, taking: Taking) -> None:
    verb = "abort" if taking.ending else "resume"
    if which.refused and not taking.ending:
        raise Blocked(which.refused, "zktui where shows how to finish it by hand.")
    if which.wait is None:
        raise Blocked(f"Run {which.run_id} is under way: {which.holder} is alive on this machine.", "Go there.")
    if which.word and not taking.typed and not interactive():
        hint = f"If nobody is at it any more: zktui {verb} --take-over {which.word}"
        raise Blocked(f"Run {which.run_id} is {which.holder}'s: {headline(which)}.", hint)
    if not taking.yes and not taking.typed and not interactive():
        raise UsageError("There is no terminal to ask whether to take it up.", "Give --yes.")
    hold = taking.hold if taking.hold is not None else which.options.hold
    if not taking.ending and hold.kind is HoldKind.ASK and not interactive():
        hint = "Give --hold SECONDS or --hold leave, or resume it in a terminal."
        raise UsageError("This run asks before it uncordons a node, and there is no terminal.", hint)


async def _typed(which: Unfinished) -> str:
    """The word that another's run takes, from the terminal; a wrong one is refused where the run is taken."""
    if not which.word:
        return ""
    say(f"\nIt is {printable(which.holder)}'s. If nobody is at it any more, type {printable(which.word)}: ")
    return (await read_line() or "").strip()


async def _confirmed(which: Unfinished, taking: Taking) -> bool:
    if which.word:
        return False  # what was typed was empty
    verb = "End" if taking.ending else "Go on with"
    say(f"\n{verb} run {printable(which.run_id)}? Type yes: ")
    return (await read_line() or "").strip().lower() == "yes"


async def _free(desk: Desk, which: Unfinished) -> Unfinished:
    """Watch the lease until it is seen to be expired. Raises Blocked when somebody renews it."""
    told = False
    while not which.free:
        if not told:
            wait = f"{which.wait:.0f} s" if which.wait is not None else "a while"
            warn(f"Watching its lease for {wait}, to see that nobody renews it.")
            told = True
        await asyncio.sleep(LOOK_EVERY)
        newest = next((each for each in await desk.unfinished() if each.run_id == which.run_id), None)
        if newest is None:
            raise Blocked(f"Run {which.run_id} came to its end.", "Nothing was changed.")
        if newest.renewed != which.renewed or newest.holder != which.holder:
            text = f"Run {which.run_id} is under way: {standing(newest, newest.renewed)}"
            raise Blocked(f"{text}.", f"{newest.holder or 'Somebody'} is at it.")
        which = newest
    return which
