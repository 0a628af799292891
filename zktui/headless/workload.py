"""What the verbs that change a workload share at a plain terminal: gates, the question, and watching a roll."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zktui.core.discovery import recognise
from zktui.core.documents import Document
from zktui.core.ports import Answer, Refused, Unanswered
from zktui.core.text import count, printable
from zktui.core.zookeeper import Ensemble
from zktui.errors import (
    EXIT_BLOCKED,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_FORBIDDEN,
    EXIT_INTERRUPTED,
    Blocked,
    ConnectionFailed,
    NoEnsemble,
    NotPermitted,
    UsageError,
    ZktuiError,
)
from zktui.headless.console import interactive, interrupts, read_line
from zktui.headless.output import say, warn
from zktui.headless.status import SETTLE, nothing_found
from zktui.maintenance.model import JsonValue
from zktui.session import Session
from zktui.workload.reading import Obstacle, Ports
from zktui.workload.rolling import End, Rolling, Status, Told

Output = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Changing:
    """Options of every verb that replaces members."""

    yes: bool = False
    override: str = ""
    """The StatefulSet's name, typed: begin although a gate is closed."""
    timeout: float = 300.0
    """Seconds for each member."""
    dwell: float | None = None
    output: Output = "text"


def ports_of(session: Session) -> Ports:
    assert session.objects is not None, "a session without an API server changes no workload"
    return Ports(session.cluster, session.members, session.objects, session.clock)


def may_change(session: Session) -> None:
    """Raises Blocked under --read-only."""
    if session.settings.read_only:
        raise Blocked("zktui is read-only here: nothing was changed.", "Start it without --read-only.")


async def the_ensemble(session: Session, name: str) -> Ensemble:
    """The one of this name, or the only one. Raises ZktuiError."""
    if name:
        wanted = name.removeprefix("statefulset/").removeprefix("statefulset.apps/").removeprefix("sts/")
        return await named(session, wanted)
    try:
        await session.store.until(lambda view: view.loaded, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time.")
    found = [e.ensemble for e in session.store.view().ensembles]
    if not found:
        raise nothing_found(session)
    if len(found) > 1:
        names = ", ".join(f"{e.namespace}/{e.name}" for e in found)
        raise UsageError(f"There are several ensembles: {printable(names)}.", "Name the StatefulSet.")
    return found[0]


async def named(session: Session, name: str) -> Ensemble:
    """The ensemble of this StatefulSet in the namespace that is looked at. Raises ZktuiError."""
    namespace = session.place.namespace
    found = await session.cluster.statefulset(namespace, name)
    if not isinstance(found, Answer):
        raise unread(found, f"StatefulSet {name} in namespace {namespace}")
    ensemble = recognise(found.value)
    if ensemble is None:
        raise NoEnsemble(f"StatefulSet {printable(name)} does not run ZooKeeper.", "Name another.")
    return ensemble


def unread(reply: Refused | Unanswered, what: str) -> ZktuiError:
    """Why something could not be read, as the error it is for whoever asked."""
    if isinstance(reply, Refused) and reply.not_found:
        return NoEnsemble(f"There is no {printable(what)}.", "Look elsewhere with --namespace.")
    if isinstance(reply, Refused) and reply.forbidden:
        return NotPermitted(f"{printable(reply.message)}.", "Nothing was changed.")
    why = reply.message if isinstance(reply, Refused) else reply.why
    return ConnectionFailed(f"{printable(what)} can't be read: {printable(why)}.", "Nothing was changed.")


async def pass_gate(obstacles: Sequence[Obstacle], name: str, override: str, *, quiet: bool = False) -> None:
    """Return where nothing stands in the way, or its name was typed for it. Raises Blocked, or UsageError."""
    if override and override != name:
        raise UsageError(
            f"--override {printable(override)} is not the StatefulSet's name.", f"Nothing was changed. It is {name}."
        )
    if not obstacles:
        return
    told = "; ".join(printable(o.text) for o in obstacles)
    if override == name:
        warn(f"Overridden: {told}.")
        return
    if interactive() and not quiet:
        warn(f"{printable(name)} is not fit for this: {told}.")
        say(f"Type {printable(name)} to begin nevertheless: ")
        if (await read_line() or "").strip() == name:
            return
    raise Blocked(
        f"{printable(name)} is not fit for this: {told}. Nothing was changed.",
        f"If you accept that: --override {printable(name)}",
    )


async def confirmed(question: str, request: Changing) -> bool:
    """Asked where there is a terminal. Raises UsageError where there is none and --yes was not given."""
    if request.yes:
        return True
    if not interactive() or request.output == "json":
        raise UsageError("There is no terminal to ask.", "Give --yes.")
    say(f"{question} Type yes: ")
    if (await read_line() or "").strip().lower() == "yes":
        return True
    warn("Nothing was changed.")
    return False


async def roll(session: Session, ensemble: Ensemble, change: Document | None, request: Changing) -> End:
    """Roll it out, told line by line; Ctrl-C ends it after what is in flight, and what is left stays held."""
    rolling = Rolling(ensemble, ports_of(session), teller(request.output), timeout=request.timeout, dwell=request.dwell)

    def interrupted(number: signal.Signals) -> None:
        warn(f"\n{number.name}: stopping after what is in flight.")
        rolling.stop()

    with interrupts(interrupted):
        # Never cancelled: a change that is on its way must be awaited and told.
        return await asyncio.ensure_future(rolling.run(change))


def teller(output: Output) -> Callable[[Told], None]:
    """Prints lines as they come; for programs nothing but the document at the end is printed."""

    def tell(told: Told) -> None:
        if output == "text":
            clock = datetime.fromtimestamp(told.wall).astimezone().strftime("%H:%M:%S")
            say(f"{clock}  {printable(told.text)}")

    return tell


def ended(end: End, name: str) -> str:
    """For people: how it ended, what it cost, and what is left."""
    figures = f"{end.seconds:.0f} s, {count(end.elections, 'election')}"
    if end.lowest is not None:
        figures += f", {count(end.lowest, 'voter')} serving at worst"
    words = [f"{end.message} {figures}."] if end.status is Status.DONE else [f"{end.status.value}: {end.message}."]
    if end.status is not Status.DONE and end.left:
        words.append(
            f"On the old template still: {', '.join(end.left)}. The update is held: no other member is touched."
        )
        words.append(f"To go on: zktui rollout resume {name}. To go back: zktui rollout undo {name}")
    return printable(" ".join(words))


def exit_code(end: End) -> int:
    if end.forbidden:
        return EXIT_FORBIDDEN
    codes = {Status.DONE: EXIT_DONE, Status.STOPPED: EXIT_INTERRUPTED, Status.BLOCKED: EXIT_BLOCKED}
    return codes.get(end.status, EXIT_FAILED)


def rolled(end: End) -> dict[str, JsonValue]:
    """The end of a rolling update for programs; keys are stable."""
    return {
        "status": end.status.value,
        "message": end.message,
        "seconds": round(end.seconds, 1),
        "replaced": [*end.replaced],
        "left": [*end.left],
        "elections": end.elections,
        "lowestServing": end.lowest,
    }


def document(kind: str, ensemble: Ensemble, **more: JsonValue) -> dict[str, JsonValue]:
    named: Mapping[str, JsonValue] = {"namespace": ensemble.namespace, "name": ensemble.name}
    return {"apiVersion": "zktui/v1", "kind": kind, **named, **more}
