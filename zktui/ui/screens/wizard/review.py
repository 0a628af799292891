"""Second screen: the plan, read fresh and judged; nothing has been changed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from zktui.maintenance.engine import Engine
from zktui.maintenance.model import Action, Options, Plan
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session
from zktui.ui.reach import app_of
from zktui.ui.screens.wizard import asking
from zktui.ui.screens.wizard import plan as words
from zktui.ui.screens.wizard.band import Band
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.frame import WizardScreen
from zktui.ui.screens.wizard.gates import noted
from zktui.ui.screens.wizard.note import NoteScreen
from zktui.ui.screens.wizard.options import OptionsScreen
from zktui.ui.screens.wizard.standing import Answer, Light
from zktui.ui.screens.wizard.words import count, listed, span
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Page, Row, row


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept from one review to the next."""

    options: Options = field(default_factory=Options)
    note: str = ""
    """Why, for whoever looks at the run."""


class ReviewScreen(WizardScreen[Engine | Wanted | None]):
    """Answers the engine of a run that has begun, else what to keep for the next review."""

    STAGE = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start"),
        Binding("k", "acknowledge", "Acknowledge"),
        Binding("f", "act", "Do it"),
        Binding("c", "cordon_ahead", "Cordon ahead"),
        Binding("o", "options", "Options"),
        Binding("n", "note", "Note"),
        Binding("r", "again", "Review again"),
        Binding("escape", "back", "Back"),
    ]

    def __init__(self, session: Session, nodes: Sequence[str], wanted: Wanted) -> None:
        super().__init__(session)
        self._names = tuple(nodes)
        self._options = wanted.options
        self._note = wanted.note
        self.plan: Plan | None = None
        """The plan on screen; None while it is being made."""
        self._done: Piece | None = None
        """What came of the last thing that zktui was told to do itself."""

    def compose_body(self) -> ComposeResult:
        with Vertical(id="body"):
            yield Band()
            page = Page(id="plan")
            page.entitle("Plan")
            yield page

    def on_mount(self) -> None:
        super().on_mount()
        self.say(Piece(f"  {listed(self._names)}", Tone.STRONG))
        self.query_one(Page).focus()
        self.action_again()

    def fit_to_size(self) -> None:
        super().fit_to_size()
        self._paint()

    def action_again(self) -> None:
        """Read everything again, with the options as they are now."""
        self.run_worker(self._review, name="wizard: review", exclusive=True)

    async def _review(self) -> None:
        self.plan = None
        self._paint()
        self.refresh_bindings()
        self.plan = await self.session.desk.review(self._names, self._options)
        self._paint()
        self.refresh_bindings()
        self.query_one(Page).scroll_home(animate=False)

    def _paint(self) -> None:
        band, page = self.query_one(Band), self.query_one(Page)
        if self.plan is None:
            reading = "Reading nodes, pods, budgets, volumes and every member. Nothing is changed."
            band.tell(Answer(Light.IDLE, "…", "READING", reading))
            page.show([])
            return
        band.tell(words.answer(self.plan))
        done = [row(" ", [self._done]), row()] if self._done is not None else []
        page.show([*done, *noted(self._note), *words.rows(self.plan, self.narrow)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "start":
            plan = self.plan
            ready = plan is not None and plan.go and not plan.unacknowledged and not self.session.desk.read_only
            return True if ready else None
        if action == "acknowledge":
            return self.plan is not None and self.plan.go and bool(self.plan.unacknowledged)
        if action == "act":
            return self.plan is not None and words.offered(self.plan) is not None and not self.session.desk.read_only
        if action == "cordon_ahead":
            return bool(self._names[1:])
        return super().check_action(action, parameters)

    def action_acknowledge(self) -> None:
        """One finding at a time; nothing is read again, since nothing of the plan depends on it."""
        if self.plan is None or not self.plan.unacknowledged:
            return
        finding = self.plan.unacknowledged[0]
        lines = [row("", [Piece(f"{finding.text}.", Tone.STRONG)])]
        lines += [row("", [Piece(f"Instead: {finding.unblock}", Tone.DIM)])] if finding.unblock else []

        def answered(yes: bool | None) -> None:
            if yes and self.plan is not None:
                accepted = self._options.acknowledged | {finding.code}
                self._options = replace(self._options, acknowledged=accepted)
                self.plan = replace(self.plan, options=self._options)
                self._paint()
                self.refresh_bindings()

        app_of(self).push_screen(Confirm("Go on all the same?", lines, "go on all the same", danger=True), answered)

    def action_act(self) -> None:
        """What a finding offers that zktui can do itself; then everything is read again."""
        offer = words.offered(self.plan) if self.plan is not None else None
        if offer is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(partial(self._act, offer), name="wizard: act", group="act")

        app_of(self).push_screen(asking.act(offer), answered)

    async def _act(self, offer: Action) -> None:
        try:
            self._done = Piece(await self.session.desk.act(offer, offer.typed), Tone.SAFE)
        except CannotBegin as error:
            self._done = Piece(f"{error.message} {error.hint}".strip(), Tone.BLOCKED)
        self.action_again()

    def action_cordon_ahead(self) -> None:
        self._options = replace(self._options, cordon_ahead=not self._options.cordon_ahead)
        self.action_again()

    def action_options(self) -> None:
        app_of(self).push_screen(OptionsScreen(self._options), self._chosen)

    def _chosen(self, options: Options | None) -> None:
        if options is not None and options != self._options:
            self._options = options
            self.action_again()

    def action_note(self) -> None:
        def written(text: str | None) -> None:
            if text is not None:
                self._note = text
                self._paint()

        app_of(self).push_screen(NoteScreen(self._note), written)

    def action_start(self) -> None:
        if self.plan is None:
            return
        app_of(self).push_screen(_start(self.plan, self._note), self._confirmed)

    def _confirmed(self, yes: bool | None) -> None:
        if not yes or self.plan is None:
            return
        try:
            engine = self.session.desk.begin(self.plan, self._note)
        except CannotBegin as error:
            band = self.query_one(Band)
            band.tell(Answer(Light.BLOCKED, "✖", "NOT BEGUN", f"{error.message} {error.hint}".strip()))
            return
        self.dismiss(engine)

    def action_back(self) -> None:
        self.dismiss(Wanted(self._options, self._note))


def _start(plan: Plan, note: str) -> Confirm:
    """What is about to happen; a typed word where something is lost that can't be brought back."""
    names = listed(node.name for node in plan.nodes)
    each = ", one at a time" if plan.nodes[1:] else ""
    cost = f"{count(plan.evictions, 'member eviction')}, {count(plan.elections, 'election')}."
    lines: list[Row] = [
        row("", [Piece(f"zktui will cordon and drain {names}{each}.", Tone.STRONG)]),
        row("", [Piece(cost.capitalize())]),
        row("", [Piece("You can pause or stop it at any time; what is under way is still awaited.", Tone.DIM)]),
    ]
    lines += [row([Piece("Note: ", Tone.DIM)], [Piece(note)])] if note else []
    options = plan.options
    losses = [
        told
        for on, told in (
            (options.accept_outage, "The ensemble goes without quorum while a member is away."),
            (options.delete_emptydir_data, "Data in emptyDir volumes is lost."),
            (options.force, "Pods without a controller do not come back."),
        )
        if on
    ]
    lines += [row("", [Piece(f"! {told}", Tone.WAITING)]) for told in losses]
    if options.timeout:
        lines.append(
            row("", [Piece(f"It fails when one pod or one gate takes longer than {span(options.timeout)}.", Tone.DIM)])
        )
    word = (plan.ensembles[0].name if plan.ensembles else plan.nodes[0].name) if losses else ""
    return Confirm(f"Drain {names}?", lines, "start", word=word, danger=bool(losses))
