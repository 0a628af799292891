"""What every screen of the wizard has: a title line, its body, the footer, and the width at which panes become tabs."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from zktui.session import Session
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

T = TypeVar("T")
NARROW = 100
SHORT = 28
STAGES = ("choose", "review", "run")


class WizardScreen(Screen[T]):
    """Title on top, footer below. The class `-narrow` is set on a terminal too small for panes side by side."""

    STAGE: ClassVar[int] = 0
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "back")]
    DEFAULT_CSS = """
    WizardScreen { background: $background; }
    WizardScreen #title { height: 1; background: $panel; }
    WizardScreen #what { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    WizardScreen #where { width: auto; max-width: 50%; text-wrap: nowrap; text-overflow: ellipsis; }
    WizardScreen #body { height: 1fr; }
    WizardScreen Page, WizardScreen Grid {
        border-top: solid $border;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        &:focus { border-top: solid $primary; border-title-color: $text-primary; }
    }
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def compose(self) -> ComposeResult:
        with Horizontal(id="title"):
            yield Static(id="what")
            yield Static(self._where(), id="where")
        yield from self.compose_body()
        yield Footer(show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        """The widgets between title and footer."""
        raise NotImplementedError

    @property
    def narrow(self) -> bool:
        return self.has_class("-narrow")

    def on_mount(self) -> None:
        self.fit_to_size()

    def on_resize(self) -> None:
        self.fit_to_size()

    def fit_to_size(self) -> None:
        self.set_class(self.size.width < NARROW or self.size.height < SHORT, "-narrow")

    @property
    def program(self) -> App[Any]:
        """The running app; its answer's type is of no concern to a screen."""
        return self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped by Textual

    def become(self, screen: Screen[None]) -> None:
        """Put another screen in the place of this one."""
        self.program.switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]  # untyped by Textual

    def say(self, *pieces: Piece) -> None:
        """The title's left part: the stage and what it is about."""
        stages: list[Piece] = [Piece(" ")]
        for number, stage in enumerate(STAGES):
            here = number == self.STAGE
            stages.append(Piece(f"{number + 1} {stage} ", Tone.STRONG if here else Tone.DIM))
            if number < len(STAGES) - 1:
                stages.append(Piece("› ", Tone.DIM))
        self.query_one("#what", Static).update(content(*stages, *pieces))

    def _where(self) -> Content:
        place = self.session.place
        pieces = [Piece(f" {place.context} ", Tone.DIM)]
        if self.session.desk.read_only:
            pieces.append(Piece(" READ-ONLY ", Tone.WAITING))
        return content(*pieces)

    def action_back(self) -> None:
        self.dismiss()
