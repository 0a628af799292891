"""The Journal pane: one row an event, as the engine wrote them."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.maintenance.model import Event
from zktui.ui.screens.wizard.words import clock
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

TONES = {
    "failed": Tone.BLOCKED,
    "abort": Tone.BLOCKED,
    "override": Tone.WAITING,
    "pause": Tone.WAITING,
    "rejoined": Tone.SAFE,
    "verified": Tone.SAFE,
    "done": Tone.SAFE,
    "gate": Tone.DIM,
    "budget": Tone.DIM,
    "cordon": Tone.STRONG,
    "evict": Tone.STRONG,
    "uncordon": Tone.STRONG,
}


QUIET = ("renew",)
"""Kinds that say nothing new to a person."""


def rows(events: Sequence[Event]) -> list[Row]:
    return [
        row(
            [Piece(f" {clock(event.wall)}  ", Tone.DIM), Piece(f"{event.kind:<9} ", Tone.DIM)],
            [Piece(event.text, TONES.get(event.kind, Tone.PLAIN))],
        )
        for event in events
        if event.kind not in QUIET
    ]
