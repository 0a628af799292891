"""What every screen of the wizard has: a title line, its body, the footer, and the width at which panes become tabs."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from zktui.session import Session
from zktui.ui.fed import Fed
from zktui.ui.reach import app_of
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.ui.widgets.keybar import KeyBar

T = TypeVar("T")
NARROW = 100
SHORT = 28
STAGES = ("choose", "review", "run")


class WizardScreen(Fed, Screen[T]):
    """Title on top, footer below. The class `-narrow` is set on a terminal too small for panes side by side."""

    STAGE: ClassVar[int | None] = 0
    """Where it is in STAGES; None: beside them."""
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
        self._said: tuple[Piece, ...] = ()

    def compose(self) -> ComposeResult:
        with Horizontal(id="title"):
            yield Static(id="what")
            yield Static(self._where(), id="where")
        yield from self.compose_body()
        yield KeyBar()

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

    def become(self, screen: Screen[None]) -> None:
        """Put another screen in the place of this one."""
        app_of(self).switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]  # its parameter's type is open

    def say(self, *pieces: Piece) -> None:
        """The title's left part: the stage and what it is about."""
        stages: list[Piece] = [Piece(" ")]
        for number, stage in enumerate(STAGES if self.STAGE is not None else ()):
            here = number == self.STAGE
            if here or not self.narrow:
                stages.append(Piece(f"{number + 1} {stage} ", Tone.STRONG if here else Tone.DIM))
                stages.append(Piece("› " if number < len(STAGES) - 1 and not self.narrow else "", Tone.DIM))
        if (said := (*stages, *pieces)) != self._said:
            self._said = said
            self.query_one("#what", Static).update(content(*said))

    def _where(self) -> Content:
        place = self.session.place
        pieces = [Piece(f" {place.context} ", Tone.DIM)]
        if self.session.desk.read_only:
            pieces.append(Piece(" READ-ONLY ", Tone.WAITING))
        return content(*pieces)

    def action_back(self) -> None:
        self.dismiss()
