"""What the ensemble is to be that is deployed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zktui.core.quantities import amount
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.workload.manifest import NAME, Wanted, objection_to

FIELDS = (
    ("name", "name", NAME),
    ("members", "members", "3"),
    ("size", "size of each volume", "10Gi"),
    ("class", "storage class", "the cluster's default"),
    ("image", "image", "ZooKeeper 3.9's official one"),
)
"""(id, label, what an empty line means)."""


class DeployForm(ModalScreen[Wanted | None]):
    """A line for each option; what is left empty is as it stands there in grey. Ends with what is wanted, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    DeployForm { align: center middle; background: $background 60%; }
    DeployForm > Vertical {
        width: 74; max-width: 95%; height: auto; background: $surface; border: round $primary;
        border-title-style: bold; padding: 0 2;
    }
    DeployForm Input { padding: 0 1; background: $panel; }
    DeployForm Static { height: auto; }
    """

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self._namespace = namespace

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = content(f"An ensemble in namespace {self._namespace}")
            for name, label, empty in FIELDS:
                yield Static(content(Piece(label, Tone.STRONG)))
                yield Input(placeholder=empty, compact=True, id=name)
            yield Static(id="told")

    def on_mount(self) -> None:
        self._tell("")

    def _tell(self, problem: str) -> None:
        keys = (
            Piece("enter ", Tone.KEY),
            Piece("look at what would be made   "),
            Piece("esc ", Tone.KEY),
            Piece("back"),
        )
        said = content(Piece(f"✗ {problem}", Tone.BLOCKED)) if problem else content(*keys)
        self.query_one("#told", Static).update(said)

    def on_input_changed(self) -> None:
        self._tell("")

    def on_input_submitted(self) -> None:
        given = {name: self.query_one(f"#{name}", Input).value.strip() for name, _, _ in FIELDS}
        wanted = wanted_of(self._namespace, given)
        if isinstance(wanted, Wanted):
            self.dismiss(wanted)
        else:
            self._tell(wanted)


def wanted_of(namespace: str, given: dict[str, str]) -> Wanted | str:
    """What the lines ask for, or what can't be deployed of it, in words."""
    members = given["members"] or "3"
    if not members.isdecimal() or int(members) % 2 == 0:
        return "the number of members is odd: an even one adds a member and no tolerance"
    if given["size"] and amount(given["size"]) is None:
        return f"{given['size']} is not an amount such as 10Gi"
    wanted = Wanted(namespace, given["name"] or NAME, int(members), given["class"], given["size"], given["image"])
    return objection_to(wanted) or wanted
