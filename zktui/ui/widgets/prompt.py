"""A one-line question at the foot of a pane: a filter, or a path to go to."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class _Field(Input):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "Done")]  # Textual hides it from the footer


class Prompt(Horizontal):
    """Hidden until `ask`. Says what is typed as it is typed, then whether enter or escape ended it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
    ]
    DEFAULT_CSS = """
    Prompt {
        height: 1; display: none; background: $panel;
        &.-open { display: block; }
        & > Label { width: auto; color: $text-primary; text-style: bold; padding: 0 1; }
        & > Input { width: 1fr; background: $panel; border: none; padding: 0; height: 1; }
    }
    """

    class Typed(Message):
        """The text is another one."""

        def __init__(self, prompt: Prompt, text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

        @property
        def control(self) -> Prompt:
            return self.prompt

    class Entered(Typed):
        """Enter: this is the answer."""

    class Cancelled(Typed):
        """Escape: there is none."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.asked = ""
        """What is asked, by the name that `ask` was given."""

    def compose(self) -> ComposeResult:
        yield Label("/", markup=False)
        yield _Field(compact=True, select_on_focus=False)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def ask(self, asked: str, label: str, hint: str, text: str = "") -> None:
        """Show up, take the keys, and begin with `text`."""
        self.asked = asked
        self.query_one(Label).update(label)
        field = self.query_one(Input)
        field.placeholder = hint
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.add_class("-open")
        # Widget.focus waits for its turn, and what is typed fast would go to where the focus was.
        self.screen.set_focus(field)

    def close(self) -> None:
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.post_message(self.Typed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()
        self.post_message(self.Entered(self, event.value))

    def action_cancel(self) -> None:
        text = self.query_one(Input).value
        self.close()
        self.post_message(self.Cancelled(self, text))
