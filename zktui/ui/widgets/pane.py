"""The thin frame around a pane, and the pane that is one table with a filter."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from zktui.ui.text import Piece, content
from zktui.ui.widgets.grid import Grid


class Pane(Vertical):
    """A rule with a title above, and nothing else; the rule is lit while the focus is inside."""

    DEFAULT_CSS = """
    Pane {
        width: 1fr; height: 1fr;
        border-top: solid $border-blurred;
        border-title-color: $foreground 62%;
        border-subtitle-color: $foreground 62%;
        border-title-style: none;
        &:focus-within { border-top: solid $primary; border-title-color: $text-primary; border-title-style: bold; }
    }
    """

    _title_pieces: tuple[Piece | str, ...] = ()

    def titled(self, *pieces: Piece | str) -> None:
        """The title in the rule; the texts may be raw."""
        if pieces != self._title_pieces:
            self._title_pieces = pieces
            # Content is shown as it is: only a str would be read as markup.
            self.border_title = content(*pieces)


class FilterBar(Input):
    """One line to type a filter into; there only while it is used."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_filter", "Clear filter"),
        Binding("enter", "submit", "Keep filter"),
    ]
    DEFAULT_CSS = """
    FilterBar { border: none; height: 1; padding: 0 1; background: $panel; &:focus { border: none; } }
    """

    def __init__(self, value: str = "") -> None:
        super().__init__(value, placeholder="filter: type words, Enter keeps, Esc clears", select_on_focus=False)

    def action_clear_filter(self) -> None:
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class GridPane(Pane):
    """A pane around one Grid; `/` filters it. Subclasses compose more below the grid by `below`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "Filter")]

    def __init__(self, grid: Grid, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id)
        self.grid = grid

    def compose(self) -> ComposeResult:
        yield self.grid
        yield from self.below()

    def below(self) -> ComposeResult:
        yield from ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        return not (action == "filter" and isinstance(self.screen.focused, FilterBar))

    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        if not bars:
            await self.mount(FilterBar(self.grid.needle), after=self.grid)
        # Widget.focus waits for its turn, and what is typed fast would be taken for keys of the table.
        self.screen.set_focus(self.query_one(FilterBar))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.grid.filter(event.value)

    @on(Input.Submitted)
    async def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.grid.focus()
        if not event.value:
            self.grid.filter("")
            await self.query(FilterBar).remove()
