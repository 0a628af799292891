"""One line in which members are chosen by keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from zktui.ui.text import printable
from zktui.ui.theme import Tone


class MemberBar(Widget, can_focus=True):
    """Names with a tick each. Hidden until `open`; escape or enter closes it, the choice holds at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Left", show=False),
        Binding("right,l", "move(1)", "Choose", key_display="← →"),
        Binding("space", "tick", "Show or hide"),
        Binding("a", "all", "All"),
        Binding("escape,enter,s", "close", "Done", key_display="esc"),
    ]
    DEFAULT_CSS = """
    MemberBar { height: 1; display: none; background: $panel; padding: 0 1; }
    MemberBar.-open { display: block; }
    """

    class Chosen(Message):
        """Another set of names is to be hidden."""

        def __init__(self, hidden: frozenset[str]) -> None:
            super().__init__()
            self.hidden = hidden

    class Closed(Message):
        pass

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._names: tuple[str, ...] = ()
        self._hidden: frozenset[str] = frozenset()
        self._cursor = 0

    def set_names(self, names: Sequence[str], hidden: frozenset[str]) -> None:
        self._names = tuple(names)
        self._hidden = hidden
        self._cursor = max(0, min(self._cursor, len(self._names) - 1))
        self.refresh()

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self) -> None:
        self.add_class("-open")
        self.focus()

    def render(self) -> Content:
        parts: list[str | tuple[str, str]] = [("Show  ", Tone.KEY.value)]
        for number, name in enumerate(self._names):
            tick = " " if name in self._hidden else "✓"
            style = "reverse" if number == self._cursor else Tone.DIM.value if name in self._hidden else ""
            parts += [(f"[{tick}] {printable(name)}", style), "  "]
        return Content.assemble(*parts)

    def _choose(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self.refresh()
        self.post_message(self.Chosen(hidden))

    def action_move(self, by: int) -> None:
        if self._names:
            self._cursor = (self._cursor + by) % len(self._names)
            self.refresh()

    def action_tick(self) -> None:
        if self._names:
            self._choose(self._hidden ^ {self._names[self._cursor]})

    def action_all(self) -> None:
        self._choose(frozenset())

    def action_close(self) -> None:
        self.remove_class("-open")
        self.post_message(self.Closed())
