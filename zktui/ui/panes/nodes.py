"""The nodes: which members they carry, whether they are ready, and who may not be scheduled there."""

from __future__ import annotations

from zktui.core.deltas import Kind
from zktui.core.kube import Node
from zktui.core.text import span
from zktui.core.view import EnsembleView, View
from zktui.core.zookeeper import Mode
from zktui.ui.panes.ensemble import NOT_TOLD, is_stale
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Cell, Grid, Row, cell
from zktui.ui.widgets.pane import GridPane

COLUMNS = (
    Column("NODE", 6, 24),
    Column("MEMBERS", 8, 24),
    Column("STATE", 10, 34),
    Column("AGE", 4, 7, "right", priority=1),
)


def node_row(node: Node, ensemble: EnsembleView | None, view: View) -> Row:
    stale = is_stale(view, Kind.NODES)
    age = view.wall - node.created_at if node.created_at is not None else None
    return Row(
        node.uid,
        (
            cell(node.name, Tone.STALE if stale else Tone.STRONG),
            members_cell(node, ensemble),
            Cell(state_pieces(node, stale)),
            cell(span(age) if age is not None else NOT_TOLD, Tone.DIM, age),
        ),
    )


def members_cell(node: Node, ensemble: EnsembleView | None) -> Cell:
    """The members on this node, the leader marked."""
    pieces: list[Piece] = []
    for member in ensemble.on_node(node.name) if ensemble else ():
        if pieces:
            pieces.append(Piece(" "))
        leads = member.role is Mode.LEADER
        pieces.append(Piece(f"{member.pod.name} ★" if leads else member.pod.name, Tone.LEADER if leads else Tone.PLAIN))
    return Cell(tuple(pieces) or (Piece(NOT_TOLD, Tone.DIM),))


def state_pieces(node: Node, stale: bool = False) -> tuple[Piece, ...]:
    """Ready or not, cordoned or not, and what presses it, in words."""
    match node.ready:
        case True:
            # kubectl's "Ready,SchedulingDisabled": a cordoned node is ready unless it says otherwise.
            pieces = [] if node.unschedulable else [Piece("Ready", Tone.STALE if stale else Tone.SAFE)]
        case False:
            pieces = [Piece("✗ NotReady", Tone.BLOCKED)]
        case None:
            pieces = [Piece("? Unknown", Tone.BLOCKED)]
    if node.unschedulable:
        pieces.append(Piece("⊘ cordoned", Tone.WAITING))
    pieces += [Piece(f"⚠ {pressure.removesuffix('Pressure')}", Tone.WAITING) for pressure in node.pressures]
    spaced = [one for piece in pieces for one in (Piece(" "), piece)]
    return tuple(spaced[1:])


class NodesPane(GridPane):
    """All nodes of the cluster."""

    def __init__(self) -> None:
        super().__init__(Grid(COLUMNS, empty="No node is known yet."), id="nodes")

    def show(self, view: View, ensemble: EnsembleView | None) -> None:
        why = view.sources[Kind.NODES].why if Kind.NODES in view.sources else ""
        if is_stale(view, Kind.NODES) and not view.nodes:
            self.grid.set_empty(f"Nodes can't be listed: {why}")
        self.grid.set_rows([node_row(node, ensemble, view) for node in view.nodes])
        cordoned = sum(node.unschedulable for node in view.nodes)
        self.titled("Nodes", Piece(f" · {cordoned} cordoned" if cordoned else "", Tone.WAITING))
