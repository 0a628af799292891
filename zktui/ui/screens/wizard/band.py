"""The band: what a person sees who looks up. Large on the left whether it is safe, beside it what the run does."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from zktui.ui.screens.wizard.standing import Answer, Light, Safety
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

LARGE = {
    "0": "┏━┓┃ ┃┗━┛",
    "1": "╺┓  ┃ ╺┻╸",
    "2": "╺━┓┏━┛┗━╸",
    "3": "╺━┓ ━┫╺━┛",
    "4": "╻ ╻┗━┫  ╹",
    "5": "┏━╸┗━┓╺━┛",
    "6": "┏━╸┣━┓┗━┛",
    "7": "╺━┓  ┃  ╹",
    "8": "┏━┓┣━┫┗━┛",
    "9": "┏━┓┗━┫╺━┛",
    "?": "╺━┓ ┏┛ ╹ ",
    "x": "╲ ╱ ╳ ╱ ╲",
}
"""Three lines of three cells."""
ROOM = 100
"""Cells from which the figures have room beside the sentence."""
TONES = {Light.SAFE: Tone.SAFE, Light.WAITING: Tone.WAITING, Light.BLOCKED: Tone.BLOCKED, Light.IDLE: Tone.STRONG}


def large(figure: str) -> list[str]:
    """A figure in three lines; what has no large form is left out."""
    return ["".join(LARGE[sign][3 * line : 3 * line + 3] for sign in figure if sign in LARGE) for line in range(3)]


class Band(Vertical):
    """The safety of the ensemble in full colour, the run's word and sentence, and figures.

    The figures stand on the right, one below the other; on a narrow terminal in one line below.
    """

    DEFAULT_CSS = """
    Band { height: auto; background: $panel; }
    Band #glance { height: 3; }
    Band Static { height: 100%; content-align: center middle; text-align: center; }
    Band.judged Static { content-align: left top; text-align: left; }
    Band #safety { width: auto; min-width: 19; padding: 0 1; text-style: bold; }
    Band #said { width: 1fr; padding: 0 1; content-align: left middle; text-align: left; text-overflow: ellipsis; }
    Band.judged #figures { width: auto; padding: 0 1; content-align: right top; text-align: right; }
    Band #figures { width: auto; }
    Band #line { height: 1; padding: 0 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
    Band #safety.safe { background: $success; color: $background; }
    Band #safety.waiting { background: $warning; color: $background; }
    Band #safety.blocked { background: $error; color: $background; }
    Band #safety.idle { background: $secondary; color: $background; }
    Band.safe { background: $success 14%; }
    Band.waiting { background: $warning 14%; }
    Band.blocked { background: $error 18%; }
    Band.narrow #figures { display: none; }
    Band.narrow.judged #line { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(id="band")
        self.answer = Answer(Light.IDLE, "…", "", "")
        self.safety: Safety | None = None
        """What is said of the ensemble; None where only a word is said, as in a review."""
        self._figures: tuple[tuple[Piece, ...], ...] = ()

    def compose(self) -> ComposeResult:
        with Horizontal(id="glance"):
            yield Static(id="safety")
            yield Static(id="said")
            yield Static(id="figures")
        yield Static(id="line")

    def on_resize(self) -> None:
        self.set_class(self.size.width < ROOM, "narrow")

    def tell(self, answer: Answer, safety: Safety | None = None, figures: Sequence[Sequence[Piece]] = ()) -> None:
        """`figures` are lines of pieces."""
        self._set_figures(figures)
        if (answer, safety) == (self.answer, self.safety):
            return
        self.answer, self.safety = answer, safety
        _shine(self, answer.light)
        word = content(Piece(f"{answer.sign} {answer.word}", TONES[answer.light]))
        sentence = content(Piece(answer.sentence, Tone.STRONG))
        self.set_class(safety is not None, "judged")
        block, said = self.query_one("#safety", Static), self.query_one("#said", Static)
        if safety is None:
            _shine(block, answer.light)
            block.update(content(f"{answer.sign} {answer.word}"))
            said.update(sentence)
            return
        _shine(block, safety.light)
        words = (f"{safety.sign} {safety.word}", *safety.lines)
        lines = zip(large(safety.figure), words, strict=True)
        block.update(Content("\n").join([content(f"{figure}  {word}") for figure, word in lines]))
        said.update(Content("\n").join([word, sentence]))

    def _set_figures(self, figures: Sequence[Sequence[Piece]]) -> None:
        """Each update is a new layout of the whole screen: only what has changed is one."""
        told = tuple(tuple(line) for line in figures)
        if told == self._figures:
            return
        self._figures = told
        self.query_one("#figures", Static).update(Content("\n").join([content(*line) for line in figures]))
        joined: list[Piece] = []
        for line in figures:
            joined += [Piece(" · ", Tone.DIM)] * bool(joined) + list(line)
        self.query_one("#line", Static).update(content(*joined))


def _shine(widget: Widget, light: Light) -> None:
    for each in Light:
        widget.set_class(each is light, each.value)
