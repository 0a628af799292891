"""The options of a review, by kubectl drain's names where it has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from zktui.maintenance.model import Hold, HoldKind, Options
from zktui.maintenance.selectors import parse_selector
from zktui.ui.screens.wizard.words import span
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.ui.widgets import grid
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.prompt import Prompt

COLUMNS = (Column("OPTION", 28), Column("VALUE", 16, 44))
MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """One option: how it reads, the options that follow and precede, and, where seconds or words can be typed, how."""

    name: str
    why: str
    value: Callable[[Options], str]
    steps: Callable[[Options], Sequence[Options]]
    """All values that the arrow keys go through, in order; the first stands where typed seconds are erased."""
    typed: Callable[[Options, int], Options] | None = None
    seconds: Callable[[Options], float] | None = None
    words: Callable[[Options], str] = lambda _: ""
    written: Callable[[Options, str], Options] | None = None
    """It takes words: the options with these. Raises ValueError with what is wrong about them."""
    hint: str = ""
    danger: bool = False


def _flag(field: str, why: str, *, danger: bool = True) -> Choice:
    def value(options: Options) -> str:
        return "yes" if getattr(options, field) else "no"

    def steps(options: Options) -> Sequence[Options]:
        return [replace(options, **{field: False}), replace(options, **{field: True})]

    return Choice(field.replace("_", "-"), why, value, steps, danger=danger)


def _hold_value(options: Options) -> str:
    match options.hold.kind:
        case HoldKind.ASK:
            return "until u"
        case HoldKind.SECONDS:
            return span(options.hold.seconds)
        case HoldKind.LEAVE:
            return "left cordoned"


def _hold_steps(options: Options) -> Sequence[Options]:
    waits = [Hold(HoldKind.SECONDS, seconds) for seconds in (60.0, 300.0, 900.0, 3600.0)]
    return [replace(options, hold=hold) for hold in (Hold(), *waits, Hold(HoldKind.LEAVE))]


def _timeout_steps(options: Options) -> Sequence[Options]:
    return [replace(options, timeout=seconds) for seconds in (0.0, 60.0, 300.0, 900.0, 3600.0)]


def _skip_steps(options: Options) -> Sequence[Options]:
    return [replace(options, skip_wait_for_delete_timeout=seconds) for seconds in (0, 60, 300, 900)]


def _spare_steps(options: Options) -> Sequence[Options]:
    return [replace(options, spare=voters) for voters in (None, 0, 1, 2)]


def _dwell_steps(options: Options) -> Sequence[Options]:
    return [replace(options, dwell=seconds) for seconds in (None, 5.0, 10.0, 30.0, 60.0)]


def _grace_value(options: Options) -> str:
    if options.grace_period is None:
        return "the pod's own"
    return span(options.grace_period) if options.grace_period else "0 s: killed"


def _grace_steps(options: Options) -> Sequence[Options]:
    return [replace(options, grace_period=seconds) for seconds in (None, 0, 10, 30, 60, 300)]


def _selected(options: Options, text: str) -> Options:
    parse_selector(text)
    return replace(options, pod_selector=text.strip())


CHOICES = (
    _flag("ignore_daemonsets", "DaemonSet pods stay on the node", danger=False),
    _flag("delete_emptydir_data", "evict pods that lose their emptyDir data"),
    _flag("force", "evict pods that no controller makes again"),
    _flag("accept_outage", "one or two voters: any eviction is an outage"),
    Choice(
        "hold",
        "how long a drained node is yours",
        _hold_value,
        _hold_steps,
        lambda options, seconds: replace(options, hold=Hold(HoldKind.SECONDS, float(seconds))),
        lambda options: options.hold.seconds,
    ),
    Choice(
        "timeout",
        "for one pod to leave or one gate to open",
        lambda options: span(options.timeout) if options.timeout else "none",
        _timeout_steps,
        lambda options, seconds: replace(options, timeout=float(seconds)),
        lambda options: options.timeout,
    ),
    Choice(
        "grace-period",
        "for a pod to terminate",
        _grace_value,
        _grace_steps,
        lambda options, seconds: replace(options, grace_period=seconds),
        lambda options: options.grace_period or 0,
    ),
    Choice(
        "skip-wait-for-delete-timeout",
        "a pod that terminates for longer is not waited for",
        lambda options: span(options.skip_wait_for_delete_timeout) if options.skip_wait_for_delete_timeout else "wait",
        _skip_steps,
        lambda options, seconds: replace(options, skip_wait_for_delete_timeout=seconds),
        lambda options: options.skip_wait_for_delete_timeout,
        danger=True,
    ),
    Choice(
        "pod-selector",
        "evict only the pods with these labels",
        lambda options: options.pod_selector or "every pod",
        lambda options: [options],
        words=lambda options: options.pod_selector,
        written=_selected,
        hint="as kubectl's: app=web,tier in (a,b)",
    ),
    Choice(
        "spare",
        "voters to keep beyond a majority; by itself 1 with five or more",
        lambda options: "by itself" if options.spare is None else str(options.spare),
        _spare_steps,
        danger=True,
    ),
    Choice(
        "dwell",
        "how long a member must be back before the next may go",
        lambda options: "syncLimit" if options.dwell is None else span(options.dwell),
        _dwell_steps,
        lambda options, seconds: replace(options, dwell=float(seconds)),
        lambda options: options.dwell or 0.0,
        danger=True,
    ),
    _flag("cordon_ahead", "cordon nodes still to be drained, so that no member lands there", danger=False),
    _flag("keep_node", "ask autoscalers to leave a cordoned node alone", danger=False),
    _flag("probe", "a client session at each member, to tell what clients feel", danger=False),
    _flag("probe_writes", "these sessions also write, to a znode of their own", danger=False),
)


class OptionGrid(Grid):
    """All keys as bindings of one widget: handlers and priority bindings would overtake the keys typed before them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.done", "review with these", show=False),
        Binding("space,right", "screen.turn(1)", "next value", show=False),
        Binding("left", "screen.turn(-1)", "value before", show=False),
        Binding("backspace", "screen.erase", "erase a digit", show=False),
        *(Binding(digit, f"screen.digit('{digit}')", "type seconds", show=False) for digit in "0123456789"),
    ]


class OptionsScreen(ModalScreen[Options | None]):
    """Answers the changed options, or None when left by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave as it was", show=False),
    ]
    DEFAULT_CSS = """
    OptionsScreen { align: center middle; background: $background 60%; }
    OptionsScreen > Vertical {
        width: 78; max-width: 98%; height: auto;
        background: $background; border: round $primary; border-title-style: bold; padding: 1 1 0 1;
    }
    OptionsScreen Grid { height: 16; }
    OptionsScreen #why { height: 1; margin: 1 0 0 0; padding: 0 2; color: $text-muted; }
    OptionsScreen #keys { padding: 0 2; height: auto; }
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        self._prompt = Prompt()
        self._typing = False
        """Digits go on from those before them; else the first one begins a new number."""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Options"
            yield OptionGrid(COLUMNS, id="options")
            yield Static(id="why")
            yield self._prompt
            keys = (("space", "change"), ("0-9", "type seconds"), ("enter", "review with these"), ("esc", "back"))
            told = [piece for key, does in keys for piece in (Piece(f"{key} ", Tone.KEY), Piece(f"{does}   "))]
            yield Static(content(*told), id="keys")

    def on_mount(self) -> None:
        self._paint()
        self.query_one(Grid).focus()

    def _paint(self) -> None:
        self.query_one(Grid).set_rows([_row(choice, self.options) for choice in CHOICES])
        self.query_one("#why", Static).update(content(self._choice.why))

    def on_grid_moved(self) -> None:
        self._typing = False
        self._paint()

    @property
    def _choice(self) -> Choice:
        return CHOICES[self.query_one(Grid).cursor_line]

    def action_turn(self, by: int) -> None:
        self._typing = False
        choice = self._choice
        if choice.written is not None:
            self._prompt.ask(choice.name, choice.name, choice.hint, choice.words(self.options))
            return
        values = list(choice.steps(self.options))
        at = values.index(self.options) if self.options in values else 0 if by < 0 else -1
        self.options = values[(at + by) % len(values)]
        self._paint()

    def action_digit(self, digit: str) -> None:
        before, self._typing = self._typing, True
        self._type(lambda seconds: f"{seconds if before else ''}{digit}")

    def action_erase(self) -> None:
        self._typing = True
        self._type(lambda seconds: str(seconds)[:-1])

    def _type(self, change: Callable[[int], str]) -> None:
        choice = self._choice
        if choice.typed is None or choice.seconds is None:
            return
        digits = change(int(choice.seconds(self.options)))[:MOST_DIGITS]
        self.options = choice.typed(self.options, int(digits)) if digits else choice.steps(self.options)[0]
        self._paint()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        self._write(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        """What is not understood leaves the option as it was, and stays to be seen until the cursor moves."""
        if (kept := self._write(event.text)) is not None:
            self.options = kept
            self._paint()
        self.query_one(Grid).focus()

    def on_prompt_cancelled(self) -> None:
        self._paint()
        self.query_one(Grid).focus()

    def _write(self, text: str) -> Options | None:
        """The options with these words; None, and why, where they are not understood."""
        choice = next(each for each in CHOICES if each.name == self._prompt.asked)
        assert choice.written is not None, "only what takes words is asked for"
        why = self.query_one("#why", Static)
        try:
            kept = choice.written(self.options, text)
        except ValueError as error:
            why.update(content(Piece(f"! {error}", Tone.BLOCKED)))
            return None
        why.update(content(choice.why))
        return kept

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_done(self) -> None:
        self.dismiss(self.options)


def _row(choice: Choice, options: Options) -> grid.Row:
    value = choice.value(options)
    changed = value != choice.value(Options())
    tone = (Tone.WAITING if choice.danger else Tone.SAFE) if changed else Tone.PLAIN
    return grid.Row(choice.name, (grid.cell(choice.name), grid.cell(value, tone)))
