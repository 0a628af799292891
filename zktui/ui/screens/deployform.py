"""What the ensemble is to be that is deployed."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zktui.core.quantities import amount
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.workload.manifest import NAME, Wanted

FIELDS = (
    ("name", "name", NAME),
    ("members", "members", "3"),
    ("size", "size of each volume", "10Gi"),
    ("class", "storage class", "the cluster's default"),
    ("image", "image", "ZooKeeper 3.9's official one"),
)
"""(id, label, what an empty line means)."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


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
        problem = problem_with(given)
        if problem:
            self._tell(problem)
            return
        self.dismiss(
            Wanted(
                self._namespace,
                given["name"] or NAME,
                int(given["members"] or 3),
                given["class"],
                given["size"],
                given["image"],
            )
        )


def problem_with(given: dict[str, str]) -> str:
    """What can't be deployed, in words; empty when all of it can."""
    if given["name"] and not _NAME.fullmatch(given["name"]):
        return "a name has small letters, digits and hyphens"
    members = given["members"] or "3"
    if not members.isdecimal() or int(members) % 2 == 0:
        return "the number of members is odd: an even one adds a member and no tolerance"
    size = amount(given["size"] or "10Gi")
    if size is None or size <= 0:
        return f"{given['size']} is not an amount such as 10Gi"
    return ""
