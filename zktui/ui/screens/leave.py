"""Before the program is left while a run goes on: what happens to it."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from zktui.maintenance.model import NodeStep, PodStep, Run
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

Leaving = Literal["detach", "unattended", "abort"]
AWAY = (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)


class LeaveScreen(ModalScreen[Leaving | None]):
    """Ends with what is to become of the run, or None: stay.

    `detach`: it goes on in the terminal; `unattended`: nobody drives it, and it can be resumed; `abort`: it is over.
    There is no daemon, so that one of the three it must be.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(None)", "Stay"),
        Binding("l", "dismiss('detach')", "Leave"),
        Binding("w", "dismiss('unattended')", "Leave unattended"),
        Binding("a", "dismiss('abort')", "Abort and leave"),
    ]
    DEFAULT_CSS = """
    LeaveScreen { align: center middle; }
    LeaveScreen > Vertical {
        width: 74; max-width: 96%; height: auto; border: solid $warning; padding: 1 2; background: $surface;
    }
    LeaveScreen Static { height: auto; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        run = self._run
        lines = [
            content(Piece(f"A maintenance is under way: {_where(run)}.", Tone.WAITING)),
            *(content(line) for line in _stays(run)),
            Content(""),
            _way("l", "leave the screen; the run goes on in this terminal, as text"),
            _way("w", "leave it unattended: what is in flight is awaited, then nothing"),
            _way("", "more is done. Later, here or elsewhere:", Piece(" zktui resume", Tone.KEY)),
            _way("a", "abort the run and leave; what is in flight is still awaited"),
            _way("esc", "stay"),
        ]
        with Vertical():
            yield Static(Content("\n").join(lines))


def _way(key: str, *words: Piece | str) -> Content:
    return content(Piece(f"{key:<5}", Tone.KEY), *words)


def _where(run: Run) -> str:
    number = f"node {min(run.current + 1, len(run.nodes))} of {len(run.nodes)}"
    node = run.node
    if node is None:
        return number
    return f"{number}, {node.name}, {'yours' if node.step is NodeStep.HOLD else node.step.value}"


def _stays(run: Run) -> list[str]:
    """What is not as it was, and stays so while nobody drives the run."""
    lines = [f"Cordoned by it: {', '.join(run.cordoned)}." if run.cordoned else "It has cordoned nothing."]
    away = [pod.pod.name for node in run.nodes for pod in node.pods if pod.member and pod.step in AWAY]
    return [*lines, f"Not back yet: {', '.join(away)}."] if away else lines
