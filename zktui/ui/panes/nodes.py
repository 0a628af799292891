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
    Column("MEMBERS", 7, 24),
    Column("STATE", 17, 34),
    Column("AGE", 4, 7, "right", priority=1),
)


Members = tuple[tuple[str, bool], ...]
"""Pod names of the members on one node, each with whether it leads."""


def node_row(node: Node, members: Members, age: str, stale: bool) -> Row:
    return Row(
        node.uid,
        (
            cell(node.name, Tone.STALE if stale else Tone.STRONG),
            members_cell(members),
            Cell(state_pieces(node, stale)),
            cell(age, Tone.DIM, None if node.created_at is None else -node.created_at),
        ),
    )


def members_by_node(ensemble: EnsembleView | None) -> dict[str, Members]:
    found: dict[str, Members] = {}
    for member in ensemble.members if ensemble else ():
        one = (member.pod.name, member.role is Mode.LEADER)
        found[member.pod.node] = (*found.get(member.pod.node, ()), one)
    return found


def members_cell(members: Members) -> Cell:
    """The members on a node, the leader marked."""
    pieces: list[Piece] = []
    for name, leads in members:
        if pieces:
            pieces.append(Piece(" "))
        pieces.append(Piece(f"{name} ★" if leads else name, Tone.LEADER if leads else Tone.PLAIN))
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
        self._made: dict[str, tuple[Node, Members, str, bool, Row]] = {}
        """Each row with what it was made of: with thousands of nodes few change from one view to the next."""

    def show(self, view: View, ensemble: EnsembleView | None) -> None:
        why = view.sources[Kind.NODES].why if Kind.NODES in view.sources else ""
        if is_stale(view, Kind.NODES) and not view.nodes:
            self.grid.set_empty(f"Nodes can't be listed: {why}")
        self.grid.set_rows(self._rows(view, ensemble))
        cordoned = sum(node.unschedulable for node in view.nodes)
        self.titled("Nodes", Piece(f" · {cordoned} cordoned" if cordoned else "", Tone.WAITING))

    def _rows(self, view: View, ensemble: EnsembleView | None) -> list[Row]:
        on, stale, before = members_by_node(ensemble), is_stale(view, Kind.NODES), self._made
        self._made = {}
        for node in view.nodes:
            age = NOT_TOLD if node.created_at is None else span(view.wall - node.created_at)
            of = (node, on.get(node.name, ()), age, stale)
            known = before.get(node.uid)
            kept = known is not None and known[0] is node and known[1:4] == of[1:]
            self._made[node.uid] = known if known is not None and kept else (*of, node_row(*of))
        return [made[4] for made in self._made.values()]
