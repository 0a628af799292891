"""`zktui maintain`: the engine without a screen, its journal printed as it is written."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from zktui.core.text import printable
from zktui.errors import (
    EXIT_BLOCKED,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_FORBIDDEN,
    EXIT_INTERRUPTED,
    Blocked,
    UsageError,
)
from zktui.headless import explain
from zktui.headless import plan as plans
from zktui.headless.console import interactive, interrupts, read_line
from zktui.headless.output import say, say_json, warn
from zktui.headless.status import SETTLE, nothing_found, settled
from zktui.maintenance.desk import Desk
from zktui.maintenance.engine import Engine
from zktui.maintenance.journal import to_json
from zktui.maintenance.model import Command, CommandKind, Event, Hold, HoldKind, NodeStep, Options, Plan, Run, RunStatus
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session

QUIET = 10.0
"""Seconds without an event after which the run says what it waits for."""

Output = Literal["text", "json", "jsonl"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for. `hold` None: ask where there is a terminal, with --yes go on at once."""

    nodes: tuple[str, ...]
    options: Options
    selector: str = ""
    ensemble_nodes: bool = False
    plan_only: bool = False
    explain: bool = False
    yes: bool = False
    hold: Hold | None = None
    output: Output = "text"
    note: str = ""


async def maintain(session: Session, request: Request) -> int:
    """Review, ask, run. Returns the exit code; raises ZktuiError for what can't even be reviewed."""
    try:
        await session.store.until(settled, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time; the review says what is not known.")
    if not session.store.view().ensembles:
        raise nothing_found(session)
    nodes = await _nodes(session, request)
    plan = await session.desk.review(nodes, _options(request, len(nodes)))
    _print_plan(plan, request)
    if request.plan_only or not plan.go:
        return go_or_no_go(plan)
    if plan.unacknowledged:
        asked = plan.unacknowledged[0]
        raise Blocked(f"{asked.text}. Nothing was changed.", f"If you accept that: --acknowledge {asked.code}")
    if not request.yes and not await _confirmed(plan):
        warn("Nothing was changed.")
        return EXIT_FAILED
    try:
        engine = session.desk.begin(plan, request.note)
    except CannotBegin as refused:
        raise Blocked(refused.message, refused.hint) from refused
    return await _Attendant(engine, jsonl=request.output != "text").attend()


async def watch(engine: Engine, *, jsonl: bool) -> int:
    """Watch a run from a plain terminal, from its first line to its end. Returns its exit code."""
    return await _Attendant(engine, jsonl=jsonl).attend()


async def attend(engine: Engine) -> int:
    """Watch a run that somebody else began, from a plain terminal, to its end. Returns its exit code."""
    warn("The run goes on here. Ctrl-C stops it after what is in flight.")
    return await _Attendant(engine, jsonl=False, printed=len(engine.journal.events)).attend()


async def leave(desk: Desk, run: Run) -> int:
    """Leave a run that somebody else began as it stands: nobody drives it from now on."""
    warn("Waiting for what is in flight.")
    await desk.leave()
    warn(f"The run is unattended. {_leftovers(run)}\nTo see where it stands: zktui where. To go on: zktui resume.")
    return EXIT_INTERRUPTED


def go_or_no_go(plan: Plan) -> int:
    """0 go; 4 when all that says stop is a missing permission; 3 for every other no-go."""
    if plan.go:
        return EXIT_BLOCKED if plan.would_wait or plan.unacknowledged else EXIT_DONE
    return EXIT_FORBIDDEN if all(stop.code == "permission" for stop in plan.stops) else EXIT_BLOCKED


async def _nodes(session: Session, request: Request) -> tuple[str, ...]:
    """The named nodes, and those that were described."""
    if not (request.selector or request.ensemble_nodes):
        return request.nodes
    try:
        found = await session.desk.nodes_for(request.selector, ensemble_nodes=request.ensemble_nodes)
    except CannotBegin as refused:
        raise Blocked(refused.message, refused.hint) from refused
    return tuple(dict.fromkeys((*request.nodes, *found)))


def _options(request: Request, nodes: int) -> Options:
    hold = request.hold
    if hold is None:
        hold = Hold(HoldKind.SECONDS, 0.0) if request.yes else Hold(HoldKind.ASK)
    if hold.kind is HoldKind.LEAVE and nodes > 1:
        raise UsageError(
            "--hold leave takes one node: the members of a second one would have nowhere to go.",
            "Run it for one node after another.",
        )
    if hold.kind is HoldKind.ASK and not request.plan_only and not interactive():
        raise UsageError(
            "There is no terminal to ask whether to begin, or when to uncordon.",
            "Give --yes, and with it --hold SECONDS or --hold leave.",
        )
    return replace(request.options, hold=hold)


def _print_plan(plan: Plan, request: Request) -> None:
    if request.output == "text":
        said = [plans.text(plan)]
        if request.explain:
            said.insert(0, explain.text(plan).lstrip())
        say("\n\n".join(said))
    elif request.output == "json":
        say_json(plans.document(plan), indent=2)
    else:
        say_json(plans.document(plan))


async def _confirmed(plan: Plan) -> bool:
    names = ", ".join(printable(node.name) for node in plan.nodes)
    say(f"\nDrain {names}? Type yes to begin: ")
    return (await read_line() or "").strip().lower() == "yes"


class _Attendant:
    """Watches one run from a plain terminal until it ends."""

    def __init__(self, engine: Engine, *, jsonl: bool, printed: int = 0) -> None:
        self._engine = engine
        self._jsonl = jsonl
        self._printed = printed
        self._interrupts = 0
        self._gone = asyncio.Event()

    async def attend(self) -> int:
        with interrupts(self._interrupted):
            driving = asyncio.ensure_future(self._engine.drive())
            watching = asyncio.create_task(self._watch())
            asking = asyncio.create_task(self._ask()) if interactive() else None
            leaving = asyncio.create_task(self._gone.wait())
            # The run itself is never cancelled: a change on its way must be awaited and told.
            await asyncio.wait({driving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, asking, leaving):
                if task is not None:
                    task.cancel()
        self._print_new()
        run = self._engine.run
        if not run.status.ended:
            warn(f"Left while the run was not over. {_leftovers(run)}")
            return EXIT_INTERRUPTED
        return self._finish(run)

    def _finish(self, run: Run) -> int:
        code = exit_code(run, interrupted=self._interrupts > 0)
        if self._jsonl:
            cordoned = list(run.cordoned)
            say_json({"kind": "result", "status": run.status.value, "message": run.message, "cordoned": [*cordoned]})
        else:
            say(printable(run.message))
        if run.cordoned:
            warn(_leftovers(run))
        return code

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        async with self._engine.changes() as changed:
            while True:
                if self._print_new():
                    told_at = loop.time()
                elif loop.time() - told_at > QUIET and not self._jsonl:
                    # Whoever waits is told what for, now and then.
                    told_at = loop.time()
                    say(f"          {printable(self._engine.run.message)}")
                await changed.wait()
                changed.clear()

    def _print_new(self) -> bool:
        """Print what the journal has got since; whether that was anything. People are not told of each renewal."""
        news = False
        for event in self._engine.journal.tail(self._printed):
            self._printed = event.seq
            if self._jsonl:
                say_json(to_json(event))
            elif event.kind == "renew":
                continue
            else:
                say(line(event))
            news = True
        return news

    async def _ask(self) -> None:
        """In Hold, Enter uncordons; it says so once for each node."""
        asked = ""
        async with self._engine.changes() as changed:
            while True:
                node = self._engine.run.node
                if node is not None and node.step is NodeStep.HOLD and node.name != asked:
                    asked = node.name
                    say(f"\n{printable(node.name)} is drained and yours. Press Enter to uncordon it: ")
                    if await read_line() is not None:
                        self._engine.command(Command(CommandKind.UNCORDON))
                await changed.wait()
                changed.clear()

    def _interrupted(self, number: signal.Signals) -> None:
        self._interrupts += 1
        if self._interrupts == 1:
            warn(f"\n{number.name}: stopping after what is in flight. Once more leaves at once.")
            self._engine.command(Command(CommandKind.ABORT))
        else:
            self._gone.set()


def exit_code(run: Run, *, interrupted: bool = False) -> int:
    """0 done; 130 interrupted; 3 a gate was closed or something not known; else 1."""
    if run.status is RunStatus.DONE:
        return EXIT_DONE
    if interrupted:
        return EXIT_INTERRUPTED
    if run.gates and not all(gate.open for gate in run.gates):
        return EXIT_BLOCKED
    return EXIT_FAILED


def _leftovers(run: Run) -> str:
    if not run.cordoned:
        return "Nothing stays cordoned by this run."
    names = " ".join(run.cordoned)
    return f"Still cordoned by this run: {printable(names)}. When you are done: kubectl uncordon {printable(names)}"


def line(event: Event) -> str:
    """One line of the journal for people, in local time."""
    clock = datetime.fromtimestamp(event.wall).astimezone().strftime("%H:%M:%S")
    return f"{clock}  {printable(event.text)}"
