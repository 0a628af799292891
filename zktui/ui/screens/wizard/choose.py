"""First screen: which nodes, one by one, by label, or all that carry the ensemble; and who is on each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.worker import Worker

from zktui.core.kube import Node
from zktui.core.view import View
from zktui.core.zookeeper import EnsembleKey, Member, Mode
from zktui.maintenance.engine import Engine
from zktui.maintenance.refusals import CannotBegin
from zktui.maintenance.selectors import parse_selector
from zktui.session import Session
from zktui.ui.painting import EVERY
from zktui.ui.reach import app_of
from zktui.ui.screens.wizard.frame import WizardScreen
from zktui.ui.screens.wizard.review import ReviewScreen, Wanted
from zktui.ui.screens.wizard.running import RunScreen
from zktui.ui.screens.wizard.words import LEADER_SIGN, NEXT, WAIT, count, key, listed
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets import grid
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Cell, Grid
from zktui.ui.widgets.page import Page, Row, row
from zktui.ui.widgets.prompt import Prompt

COLUMNS = (
    Column("NODE", 10, 40),
    Column("STATUS", 8, 20),
    Column("SCHEDULING", 10, 24, priority=1),
    Column("MEMBERS", 20, 60),
    Column("NOTES", 5, 40, priority=2),
)
EMPTY = "No node is known yet. If this stays, look at the banner of the main screen: nodes may not be readable for you."


class NodeGrid(Grid):
    """The grid's keys with the words that they have here.

    Not priority bindings of the screen: those would overtake the cursor keys typed before them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("enter", "choose", "Review"),
        Binding("s", "sort(1)", "Sort"),
    ]


class ChooseScreen(WizardScreen[None]):
    """Marks nodes; Enter reviews the marked ones, or the one under the cursor.

    Labels and ensemble add to what is marked, as the options of `zktui maintain` do; what they found is seen before
    anything is reviewed.
    """

    STAGE = 0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "ensemble", "Ensemble's nodes"),
        Binding("l", "label", "By label"),
        Binding("x", "clear", "Clear marks"),
        Binding("escape", "back", "Back"),
    ]
    DEFAULT_CSS = """
    ChooseScreen #nodes { width: 2fr; }
    ChooseScreen #told { width: 1fr; min-width: 36; margin-left: 1; }
    ChooseScreen.-narrow #body { layout: vertical; }
    ChooseScreen.-narrow #nodes { width: 1fr; height: 2fr; }
    ChooseScreen.-narrow #told { width: 1fr; height: 1fr; min-height: 6; margin-left: 0; }
    """

    def __init__(self, session: Session, ensemble: EnsembleKey | None) -> None:
        super().__init__(session)
        self._key = ensemble
        self._wanted = Wanted()
        self._prompt = Prompt()
        self._before: frozenset[str] = frozenset()
        """What was marked before a selector is typed."""
        self._wrong = ""
        """Why what is typed chooses nothing."""
        self._reader: Worker[None] | None = None
        self._reading = False
        """Whether it is being read which empty nodes the ensemble needs."""
        self._asked = False
        """A review was asked for meanwhile: it waits for that, so that speed decides nothing."""
        self._taking = frozenset[str]()
        """Empty nodes that have to take a member."""
        self.painted = -1
        """Revision of the view that is on screen."""

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="body"):
            nodes = NodeGrid(COLUMNS, empty=EMPTY, marking=True, id="nodes")
            nodes.border_title = "Nodes"
            yield nodes
            told = Page(id="told")
            told.entitle("Chosen")
            yield told
        yield self._prompt

    def on_mount(self) -> None:
        super().on_mount()
        self.say(Piece("  Which nodes?", Tone.STRONG))
        self.query_one(Grid).focus()
        self.run_worker(self._watch, name="wizard: choose", exclusive=True)

    async def _watch(self) -> None:
        async with self.session.store.changes() as changed:
            while True:
                self._paint()
                try:
                    async with asyncio.timeout(1.0):
                        await changed.wait()
                except TimeoutError:
                    continue
                changed.clear()
                await asyncio.sleep(EVERY)

    def _paint(self) -> None:
        view = self.session.store.refreshed()
        self.query_one(Grid).set_rows([_row(node, view, self._key) for node in view.nodes])
        self._tell(view)
        self.painted = view.revision

    def _tell(self, view: View) -> None:
        marks = self.query_one(Grid).marks
        chosen = [node for node in view.nodes if node.uid in marks]
        wrong = [row([Piece(" ! ", Tone.WAITING)], [Piece(self._wrong)]), row()] if self._wrong else []
        if self._reading:
            words = "Reading whether an empty node has to take a member." + " Then the review." * self._asked
            wrong = [row([Piece(f" {WAIT} ", Tone.WAITING)], [Piece(words)]), row()]
        self.query_one("#told", Page).show([*wrong, *_told(chosen, view, self._key, self._taking)])

    def on_grid_marked(self) -> None:
        self._tell(self.session.store.view())

    def on_grid_chosen(self) -> None:
        self.action_review()

    def action_clear(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._reading = self._asked = False
        self.query_one(Grid).set_marks(frozenset())
        self._mark(set(), "")

    # -- many at once

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("ensemble", "label", "clear") and self._prompt.is_open:
            return False  # its letters are typed into the question
        return super().check_action(action, parameters)

    def action_ensemble(self) -> None:
        """Every node on which a member of the ensemble runs, of any where none was chosen; then what else it needs."""
        view = self.session.store.view()
        mine = [e for e in view.ensembles if self._key in (None, e.key)]
        pods = [member.pod for ensemble in mine for member in ensemble.members]
        carrying = frozenset(pod.node for pod in pods if pod.node and not pod.finished)
        self._reading = bool(carrying)
        self._mark({node.uid for node in view.nodes if node.name in carrying}, "No node carries a member now.")
        if carrying:
            self._reader = self.run_worker(
                self._needed(carrying), name="wizard: needed nodes", group="needed", exclusive=True
            )

    async def _needed(self, carrying: frozenset[str]) -> None:
        """Mark what `--ensemble-nodes` would name besides: nodes that have to take a member, since no other can."""
        wrong, names = "", frozenset[str]()
        try:
            found = await self.session.desk.nodes_for(ensemble_nodes=True, ensemble=self._key)
            names = frozenset(found) - carrying
        except CannotBegin as refused:
            wrong = f"Whether an empty node has to take a member is not known. {refused.message}"
        self._reading = False
        self._taking |= names
        uids = {node.uid for node in self.session.store.view().nodes if node.name in names}
        self._before |= uids
        self._mark(uids, wrong)
        if self._asked and not wrong:
            self.action_review()
        self._asked = False

    def action_label(self) -> None:
        self._before = self.query_one(Grid).marks
        self._prompt.ask("label", "labels", "as kubectl's -l: pool=zk,zone in (a,b)")
        self.refresh_bindings()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """While it is typed, what it would mark is marked already."""
        self._select(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        self._select(event.text)
        self._leave_prompt()

    def on_prompt_cancelled(self) -> None:
        self._select("")
        self._leave_prompt()

    def _leave_prompt(self) -> None:
        self.query_one(Grid).focus()
        self.refresh_bindings()

    def _select(self, text: str) -> None:
        grid_ = self.query_one(Grid)
        grid_.set_marks(self._before)
        if not text.strip():
            self._mark(set(), "")
            return
        try:
            wanted = parse_selector(text)
        except ValueError as error:
            self._mark(set(), f"{str(error).capitalize()}.")
            return
        nodes = self.session.store.view().nodes
        self._mark({node.uid for node in nodes if wanted.matches(node.labels)}, f"No node has the labels {text}.")

    def _mark(self, uids: set[str], none: str) -> None:
        """Mark these too; `none` is what to say when there are none."""
        nodes = self.query_one(Grid)
        self._wrong = "" if uids else none
        nodes.set_marks(nodes.marks | uids)
        self._tell(self.session.store.view())

    # -- what comes next

    def chosen(self) -> list[str]:
        """Names of the marked nodes, or of the one under the cursor."""
        nodes = self.query_one(Grid)
        marks = nodes.marks or {nodes.cursor_uid}
        return [node.name for node in self.session.store.view().nodes if node.uid in marks]

    def action_review(self) -> None:
        if self._reading:
            self._asked = True
            self._tell(self.session.store.view())
        elif names := self.chosen():
            app_of(self).push_screen(ReviewScreen(self.session, names, self._wanted), self._reviewed)

    def _reviewed(self, outcome: Engine | Wanted | None) -> None:
        """Back from the review: with what to keep, or with a run that has begun."""
        if isinstance(outcome, Wanted):
            self._wanted = outcome
        elif outcome is not None:
            self.become(RunScreen(self.session, outcome))


def _row(node: Node, view: View, mine: EnsembleKey | None) -> grid.Row:
    return grid.Row(
        node.uid,
        (
            grid.cell(node.name, Tone.STRONG),
            _status(node),
            grid.cell("cordoned", Tone.WAITING) if node.unschedulable else grid.cell("open", Tone.DIM),
            Cell(tuple(_members(node, view, mine))),
            grid.cell(", ".join(node.pressures), Tone.WAITING),
        ),
    )


def _status(node: Node) -> Cell:
    if node.ready:
        return grid.cell("Ready", Tone.SAFE)
    return grid.cell("NotReady" if node.ready is False else "Unknown", Tone.BLOCKED)


def _on(node: Node, view: View) -> list[tuple[EnsembleKey, Member]]:
    return [(each.key, member) for each in view.ensembles for member in each.on_node(node.name)]


def _members(node: Node, view: View, mine: EnsembleKey | None) -> list[Piece]:
    found: list[Piece] = []
    for key_, member in _on(node, view):
        if found:
            found.append(Piece(", "))
        other = "" if mine is None or key_ == mine else f"{key_.namespace}/"
        found.append(Piece(f"{other}{member.pod.name} "))
        fresh = member.report.fresh(view.at)
        if fresh and member.role is Mode.LEADER:
            found.append(Piece(f"{LEADER_SIGN} leader", Tone.LEADER))
        else:
            word = member.role.value if fresh else "not known"
            serving = fresh and member.role.serving
            found.append(Piece(word, Tone.DIM if serving else Tone.BLOCKED))
        if not member.pod.ready:
            found.append(Piece(" not ready", Tone.WAITING))
    return found or [Piece("–", Tone.DIM)]


def _told(chosen: Sequence[Node], view: View, mine: EnsembleKey | None, taking: frozenset[str]) -> list[Row]:
    """What marking these nodes means, before any review; `taking` are empty ones that have to take a member."""
    if not chosen:
        return [
            row(key("space", " "), "marks the node under the cursor."),
            row(key("e", "     "), "marks all that carry the ensemble, and an empty one that it needs."),
            row(key("l", "     "), "marks by label."),
            row(key("⏎", "     "), "reviews the marked nodes, or that one."),
            row(),
            row(" ", [Piece("A review reads and changes nothing.", Tone.DIM)]),
        ]
    members = [pair for node in chosen for pair in _on(node, view)]
    lines = [
        row(" ", [Piece(listed(node.name for node in chosen), Tone.STRONG)]),
        row(" ", [Piece(f"{count(len(chosen), 'node')}, {count(len(members), 'member')} to move.")]),
    ]
    for _, member in members:
        if member.role is Mode.LEADER:
            text = f"{member.pod.name} leads: at least one election, and it goes last."
            lines.append(row([Piece(f" {LEADER_SIGN} ", Tone.LEADER)], [Piece(text)]))
    for node in chosen:
        if node.name in taking and not _on(node, view):
            text = f"{node.name} is empty and has to take a member: no other node can."
            lines.append(row([Piece(f" {NEXT} ", Tone.DIM)], [Piece(text)]))
        if node.ready is not True:
            text = f"{node.name} is not Ready: an eviction from it may never end."
            lines.append(row([Piece(" ! ", Tone.WAITING)], [Piece(text)]))
        if node.unschedulable:
            text = f"{node.name} is cordoned by somebody else and will stay so."
            lines.append(row([Piece(" ! ", Tone.WAITING)], [Piece(text)]))
    here = view.ensemble(mine)
    if here is not None:
        lines += [row(), row(" ", [Piece(f"{here.ensemble.name} {here.quorum.phrase()}.", Tone.DIM)])]
    return lines
