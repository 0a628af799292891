"""The run on screen: steps, why we wait, the budget as it changes, the ensemble, and the journal.

The screen reads an engine and sends it commands. It owns nothing of the run: closed, the run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from zktui.core.ports import ProbeSummary
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import EnsembleKey, Member
from zktui.maintenance.journal import Journal
from zktui.maintenance.model import BudgetSample, Command, CommandKind, NodeStep, Run, RunStatus
from zktui.session import Session
from zktui.ui.reach import app_of
from zktui.ui.screens.wizard import asking, gates, journal, shape, steps, summary
from zktui.ui.screens.wizard.band import Band
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.figures import figures
from zktui.ui.screens.wizard.frame import WizardScreen
from zktui.ui.screens.wizard.logs import LogsScreen
from zktui.ui.screens.wizard.note import NoteScreen
from zktui.ui.screens.wizard.standing import answer, safety
from zktui.ui.screens.wizard.words import clock, span
from zktui.ui.text import Piece, content, printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Page, Row

PAINTS_A_SECOND = 10
TABS = ("now", "steps", "budget", "journal")
PANES = Binding.Group("Panes")
UNSKIPPABLE = (NodeStep.HOLD, NodeStep.UNCORDON, NodeStep.REJOIN, NodeStep.VERIFIED, NodeStep.LEFT_CORDONED)
"""Steps from which the node is given back anyway."""


class Runner(Protocol):
    """What the screen needs of a run; `maintenance.engine.Engine` is one."""

    @property
    def run(self) -> Run: ...
    @property
    def timeline(self) -> tuple[BudgetSample, ...]: ...
    @property
    def members(self) -> tuple[Member, ...]: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def probe(self) -> ProbeSummary | None: ...
    def command(self, command: Command) -> None: ...
    def changes(self) -> AbstractAsyncContextManager[asyncio.Event]: ...


class RunScreen(WizardScreen[None]):
    """Watches one run to its end and beyond."""

    STAGE = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause"),
        Binding("space", "resume", "Resume"),
        Binding("u", "uncordon", "Uncordon"),
        Binding("f", "act", "Do it"),
        Binding("o", "override", "Override"),
        Binding("s", "skip", "Skip"),
        Binding("n", "note", "Note"),
        Binding("a", "abort", "Abort"),
        Binding("l", "logs", "Logs"),
        Binding("d,escape", "back", "Detach", key_display="d"),
        Binding("enter,d,escape", "close", "Close", key_display="⏎"),
        *(Binding(str(n), f"tab('{name}')", name.capitalize(), group=PANES) for n, name in enumerate(TABS, 1)),
    ]
    DEFAULT_CSS = """
    RunScreen #tabs { display: none; height: 1; background: $panel; }
    RunScreen #panes { height: 1fr; }
    RunScreen #steps { width: 33; }
    RunScreen #now { width: 1fr; margin: 0 1; }
    RunScreen #right { width: 37; }
    RunScreen #chart { height: 11; }
    RunScreen #ensemble { height: 1fr; }
    RunScreen #journal { height: 9; }
    RunScreen.-narrow #tabs { display: block; }
    RunScreen.-narrow #panes, RunScreen.-narrow #steps, RunScreen.-narrow #right { width: 1fr; }
    RunScreen.-narrow #now { margin: 0; }
    RunScreen.-narrow #panes > * { display: none; }
    RunScreen.-narrow.now #now, RunScreen.-narrow.steps #steps, RunScreen.-narrow.budget #right { display: block; }
    RunScreen.-narrow #journal { height: 5; }
    RunScreen.-narrow #chart { height: 9; }
    RunScreen.-narrow.budget #journal { display: none; }
    RunScreen.-narrow.journal #panes { display: none; }
    RunScreen.-narrow.journal #journal { height: 1fr; }
    """

    def __init__(self, session: Session, engine: Runner) -> None:
        super().__init__(session)
        self._engine = engine
        self._offered: tuple[bool | None, ...] = ()
        self.told = 0
        """Number of the last journal event that is on screen."""
        self.painted: Run | None = None
        """The snapshot that is on screen."""

    def compose_body(self) -> ComposeResult:
        yield Band()
        yield Static(id="tabs")
        with Vertical(id="body"):
            with Horizontal(id="panes"):
                yield _page("steps", "Steps")
                yield _page("now", "Now")
                with Vertical(id="right"):
                    yield _page("chart", "Budget")
                    yield _page("ensemble", "Ensemble")
            yield _page("journal", "Journal", follow=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.action_tab("now")
        self.run_worker(self._watch, name="wizard: run", exclusive=True)

    def fit_to_size(self) -> None:
        super().fit_to_size()
        # The chart is drawn to its pane's width, which is known after the layout.
        self.call_after_refresh(self.paint)

    async def _watch(self) -> None:
        """Paint at each change, at most ten times a second, and each second for the ages."""
        async with self._engine.changes() as changed:
            while True:
                self.paint()
                try:
                    async with asyncio.timeout(1.0):
                        await changed.wait()
                except TimeoutError:
                    continue
                changed.clear()
                self.paint()
                await asyncio.sleep(1 / PAINTS_A_SECOND)

    # -- painting

    @property
    def _key(self) -> EnsembleKey | None:
        """The ensemble that the panes are about: that of the member at work, else the plan's first."""
        run = self._engine.run
        mine = [pod.ensemble for pod in (run.node.pods if run.node else ()) if pod.member and pod.ensemble]
        return next(iter((*mine, *run.plan.ensembles)), None)

    def paint(self) -> None:
        """Bring every pane to the engine's newest snapshot."""
        if self.leaving:
            return
        run, now = self._engine.run, self.session.clock.now()
        view = self.session.store.view().ensemble(self._key)
        members = shape.newest(view, self._engine.members)
        quorum = shape.quorum(view, members, now)
        self._head(run, now)
        known = shape.figures(self._engine.timeline, view.budgets if view else ())
        lines = figures(run, quorum, known, self._engine.probe, now, short=self.narrow)
        self.query_one(Band).tell(answer(run, quorum, now), safety(run, self._key, quorum), lines)
        self._page("steps", steps.rows(run, now))
        title, lines = (summary.title(run), summary.rows(run)) if run.status.ended else gates.middle(run, now)
        self._page("now", lines, title)
        self._budget(run, view, now)
        name = f"Ensemble {view.ensemble.name}" if view else "Ensemble"
        width = self.query_one("#ensemble", Page).scrollable_content_region.width
        self._page("ensemble", shape.ensemble(members, run, now, width), name)
        self._journal()
        self._offer()
        self.painted = run

    def _page(self, name: str, lines: Sequence[Row], title: str = "") -> None:
        page = self.query_one(f"#{name}", Page)
        page.show(lines)
        if title:
            page.entitle(title)

    def _budget(self, run: Run, view: EnsembleView | None, now: float) -> None:
        page = self.query_one("#chart", Page)
        budgets = view.budgets if view else ()
        timeline = self._engine.timeline
        width = page.scrollable_content_region.width
        rows = shape.budget(run, timeline, budgets, now, self._begun(run, now), width)
        self._page("chart", rows, shape.budget_name(timeline, budgets))

    def _journal(self) -> None:
        """Only what is new: a long run's journal is not gone through again at each paint."""
        if events := self._engine.journal.tail(self.told):
            self.query_one("#journal", Page).extend(journal.rows(events))
            self.told = events[-1].seq

    def _begun(self, run: Run, now: float) -> float:
        """When the run began, in seconds since the epoch."""
        return self.session.clock.wall() - (now - (run.started_at if run.started_at is not None else now))

    def _head(self, run: Run, now: float) -> None:
        number = len(run.nodes or run.plan.nodes)
        pieces = [Piece(f"  {number} {'node' if number == 1 else 'nodes'}", Tone.STRONG)]
        if run.node is not None and not run.status.ended and number > 1:
            pieces.append(Piece(f" · node {run.current + 1} of {number}: {run.node.name}"))
        if run.started_at is not None:
            end = run.ended_at if run.ended_at is not None else now
            pieces.append(Piece(f" · begun {clock(self._begun(run, now), seconds=False)}", Tone.DIM))
            pieces.append(Piece(f" · {span(end - run.started_at)}"))
        self.say(*pieces)

    def _offer(self) -> None:
        """Let the footer follow what can be done now."""
        names = ("pause", "resume", "uncordon", "act", "override", "skip", "note", "abort", "back", "close")
        offered = tuple(self.check_action(name, ()) for name in names)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        run = self._engine.run
        going = not run.status.ended and not run.aborting
        halted = run.status is RunStatus.PAUSED or run.pausing
        match action:
            case "pause":
                return going and not halted
            case "resume":
                return going and halted
            case "abort":
                return going
            case "uncordon":
                held = run.node is not None and run.node.step is NodeStep.HOLD
                offered = held or gates.uncordon_offered(run) is not None
                return going and offered and run.status is not RunStatus.PAUSED
            case "override":
                return going and gates.overridable(run) is not None
            case "act":
                return going and gates.offered(run) is not None
            case "skip":
                return going and run.node is not None and run.node.step not in UNSKIPPABLE
            case "note":
                return not run.status.ended
            case "back":
                return not run.status.ended
            case "close":
                return run.status.ended
            case _:
                return super().check_action(action, parameters)

    def action_pause(self) -> None:
        self._send(Command(CommandKind.PAUSE))

    def action_resume(self) -> None:
        self._send(Command(CommandKind.RESUME))

    def action_uncordon(self) -> None:
        """The node in Hold; else the one that a blocked gate names, by its typed name, for it is not this run's."""
        run = self._engine.run
        if run.node is not None and run.node.step is NodeStep.HOLD:
            self._send(Command(CommandKind.UNCORDON, node=run.node.name))
        elif offer := gates.uncordon_offered(run):
            command = Command(CommandKind.UNCORDON, typed=offer.target, node=offer.target)
            self._ask(asking.uncordon(offer, run), command)

    def action_act(self) -> None:
        """What a blocked gate offers that zktui can do itself."""
        if offer := gates.offered(self._engine.run):
            self._ask(asking.act(offer), Command(CommandKind.ACT, typed=offer.typed, action=offer))

    def action_skip(self) -> None:
        self._ask(asking.skip(self._engine.run), Command(CommandKind.SKIP))

    def action_abort(self) -> None:
        self._ask(asking.abort(self._engine.run), Command(CommandKind.ABORT))

    def action_override(self) -> None:
        """One gate, one step, by the pod's typed name; which gate is fixed when the question is asked."""
        run = self._engine.run
        gate, pod = gates.overridable(run), gates.gated(run)
        if gate is not None and pod is not None:
            self._ask(asking.override(gate, pod), Command(CommandKind.OVERRIDE, gate.name, pod.pod.name))

    def _ask(self, question: Confirm, command: Command) -> None:
        """Send the command if the answer is yes. Both are fixed now, whatever the run does meanwhile."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._send(command)

        app_of(self).push_screen(question, answered)

    def action_note(self) -> None:
        def written(text: str | None) -> None:
            if text is not None and text != self._engine.run.note:
                self._send(Command(CommandKind.NOTE, text=text))

        app_of(self).push_screen(NoteScreen(self._engine.run.note), written)

    def _send(self, command: Command) -> None:
        before = self._engine.run.message
        self._engine.command(command)
        if (said := self._engine.run.message) not in ("", before):
            self.notify(printable(said), markup=False)
        self.paint()

    def action_logs(self) -> None:
        app_of(self).push_screen(LogsScreen(self.session, self._key))

    def action_close(self) -> None:
        self.dismiss()

    def action_tab(self, name: str) -> None:
        """Show one pane where they do not fit side by side; focus it in any case."""
        for each in TABS:
            self.set_class(each == name, each)
        self.query_one("#chart" if name == "budget" else f"#{name}").focus()
        pieces = [Piece(" ")]
        for number, each in enumerate(TABS, 1):
            here = each == name
            pieces += [Piece(f" {number} ", Tone.KEY), Piece(f"{each}  ", Tone.STRONG if here else Tone.DIM)]
        # The footer has no room for all keys where the panes are tabs.
        pieces += [Piece(" l ", Tone.KEY), Piece("logs  ", Tone.DIM), Piece(" d ", Tone.KEY), Piece("leave", Tone.DIM)]
        self.query_one("#tabs", Static).update(content(*pieces))
        self.call_after_refresh(self.paint)


def _page(name: str, title: str, *, follow: bool = False) -> Page:
    page = Page(id=name, follow=follow)
    page.entitle(title)
    return page
