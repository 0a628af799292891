"""The options of a review, by kubectl drain's names where it has them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, RadioButton, RadioSet, Static

from zktui.maintenance.model import Hold, HoldKind, Options
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

FLAGS = (
    ("ignore_daemonsets", "ignore-daemonsets", "DaemonSet pods stay on the node"),
    ("delete_emptydir_data", "delete-emptydir-data", "evict pods that lose emptyDir data"),
    ("force", "force", "evict pods that no controller makes again"),
    ("accept_outage", "accept-outage", "one or two voters: any eviction is an outage"),
)
HOLDS = (
    (HoldKind.ASK, "until u is pressed"),
    (HoldKind.SECONDS, "for the seconds below, then uncordon"),
    (HoldKind.LEAVE, "leave cordoned, as kubectl drain does (last node only)"),
)


class OptionsScreen(ModalScreen[Options | None]):
    """Answers the changed options, or None when left by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave as it was", show=False),
        Binding("ctrl+s,f2", "done", "review with these", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = """
    OptionsScreen { align: center middle; background: $background 60%; }
    OptionsScreen > VerticalScroll {
        width: 74; max-width: 98%; height: auto; max-height: 96%;
        background: $surface; border: round $primary; border-title-style: bold; padding: 0 1;
    }
    OptionsScreen Checkbox, OptionsScreen RadioSet { width: 100%; border: none; padding: 0 1; background: $surface; }
    OptionsScreen RadioSet:focus { border: none; }
    OptionsScreen .field { height: 1; }
    OptionsScreen .field Static { width: 40; padding: 0 1; }
    OptionsScreen .field Input { width: 1fr; }
    OptionsScreen #keys, OptionsScreen .heading { padding: 0 1; margin: 1 0 0 0; height: auto; }
    OptionsScreen .heading { text-style: bold; }
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = "Options"
            for field, name, why in FLAGS:
                label = content(Piece(f"{name:<21}", Tone.STRONG), Piece(why, Tone.DIM))
                yield Checkbox(label, getattr(self._options, field), id=field, compact=True)
            yield Static("Hold: a drained node is yours", classes="heading")
            with RadioSet(id="hold", compact=True):
                for kind, why in HOLDS:
                    yield RadioButton(why, self._options.hold.kind is kind, id=kind.value)
            grace = self._options.grace_period
            yield from _field("hold_seconds", "seconds to hold", f"{self._options.hold.seconds:g}")
            yield Static("Limits", classes="heading")
            yield from _field("timeout", "timeout in seconds, 0 for none", f"{self._options.timeout:g}")
            yield from _field(
                "grace_period", "grace period, empty: each pod's own", "" if grace is None else f"{grace}"
            )
            keys = [
                Piece("F2", Tone.KEY),
                Piece(" or "),
                Piece("enter", Tone.KEY),
                Piece(" in a field: review with these   "),
            ]
            yield Static(
                content(*keys, Piece("space", Tone.KEY), " toggle   ", Piece("esc", Tone.KEY), " back"), id="keys"
            )

    def on_input_submitted(self) -> None:
        self.action_done()

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_done(self) -> None:
        flags = {field: self.query_one(f"#{field}", Checkbox).value for field, _, _ in FLAGS}
        pressed = self.query_one("#hold", RadioSet).pressed_button
        kind = HoldKind(pressed.id) if pressed is not None and pressed.id else HoldKind.ASK
        grace = self.query_one("#grace_period", Input).value.strip()
        self.dismiss(
            replace(
                self._options,
                **flags,
                hold=Hold(kind, self._seconds("hold_seconds") if kind is HoldKind.SECONDS else 0.0),
                timeout=self._seconds("timeout"),
                grace_period=int(grace) if grace else None,
            )
        )

    def _seconds(self, field: str) -> float:
        text = self.query_one(f"#{field}", Input).value.strip()
        return float(text) if text not in ("", ".") else 0.0


def _field(name: str, label: str, value: str) -> ComposeResult:
    with Horizontal(classes="field"):
        yield Static(label)
        # Digits and at most one point: whatever can be typed here can be read as a number.
        restrict = r"[0-9]*" if name == "grace_period" else r"[0-9]*\.?[0-9]*"
        yield Input(value, id=name, compact=True, restrict=restrict, max_length=7)
