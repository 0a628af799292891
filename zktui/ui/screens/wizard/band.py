"""The band: the one big line that says whether it is safe, in a colour, a sign and a word."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from zktui.ui.screens.wizard.standing import Answer, Light
from zktui.ui.text import Piece, content, printable


class Band(Horizontal):
    """Word on the left in full colour, sentence beside it, figures on the right."""

    DEFAULT_CSS = """
    Band { height: 3; background: $panel; }
    Band > Static { height: 100%; content-align: left middle; }
    Band #word { width: 16; text-style: bold; content-align: center middle; }
    Band #sentence { width: 1fr; padding: 0 2; text-style: bold; }
    Band #figures { width: auto; padding: 0 1; content-align: right middle; text-align: right; }
    Band.safe #word { background: $success; color: $background; }
    Band.waiting #word { background: $warning; color: $background; }
    Band.blocked #word { background: $error; color: $background; }
    Band.idle #word { background: $secondary; color: $background; }
    Band.safe { background: $success 14%; }
    Band.waiting { background: $warning 14%; }
    Band.blocked { background: $error 18%; }
    """

    def __init__(self) -> None:
        super().__init__(id="band")
        self.answer = Answer(Light.IDLE, "…", "", "")

    def compose(self) -> ComposeResult:
        yield Static(id="word")
        yield Static(id="sentence")
        yield Static(id="figures")

    def tell(self, answer: Answer, *figures: Piece) -> None:
        """`figures` are set one below the other."""
        self.query_one("#figures", Static).update(Content("\n").join([content(figure) for figure in figures]))
        if answer == self.answer:
            return
        self.answer = answer
        for light in Light:
            self.set_class(light is answer.light, light.value)
        self.query_one("#word", Static).update(content(f"{answer.sign} {answer.word}"))
        self.query_one("#sentence", Static).update(content(printable(answer.sentence)))
