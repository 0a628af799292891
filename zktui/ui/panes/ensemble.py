"""The ensemble's members, live: who leads, who follows, who is silent, and how far behind."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from zktui.core.deltas import Kind
from zktui.core.text import span
from zktui.core.view import EnsembleView, SourceState, View
from zktui.core.zookeeper import Member, Mode
from zktui.ui.panes.budget import BudgetLines
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Cell, Grid, Row, cell
from zktui.ui.widgets.oneline import Line, Lines, Part
from zktui.ui.widgets.pane import GridPane

COLUMNS = (
    Column("MEMBER", 6, 24),
    Column("ROLE", 10, 12),
    Column("NODE", 6, 20),
    Column("READY", 15, 22),
    Column("ZXID", 10, 17, "right", priority=2),
    Column("LAG", 3, 9, "right", priority=1),
    Column("CONNS", 5, 7, "right", priority=3),
    Column("LAT", 4, 7, "right", priority=4),
    Column("RST", 3, 5, "right", priority=5),
    Column("AGE", 4, 7, "right", priority=6),
    Column("ID", 2, 4, "right", priority=7),
)
MARKS = {
    Mode.LEADER: ("★", Tone.LEADER),
    Mode.FOLLOWER: ("●", Tone.SAFE),
    Mode.OBSERVER: ("○", Tone.SAFE),
    Mode.STANDALONE: ("●", Tone.SAFE),
    Mode.READ_ONLY: ("◌", Tone.WAITING),
    Mode.LOOKING: ("◌", Tone.WAITING),
    Mode.SILENT: ("✗", Tone.BLOCKED),
    Mode.UNKNOWN: ("?", Tone.DIM),
}
NOT_TOLD = "–"


def role_piece(member: Member, now: float) -> Piece:
    """The role with its mark; with a question mark once the answer is too old to count."""
    mark, tone = MARKS[member.role]
    if member.role is not Mode.UNKNOWN and not member.report.fresh(now):
        return Piece(f"? {member.role}", Tone.STALE)
    return Piece(f"{mark} {member.role}", tone)


def member_row(member: Member, view: View) -> Row:
    """One member as the table shows it, judged at the view's time."""
    pod, report = member.pod, member.report
    told = Tone.PLAIN if report.fresh(view.at) else Tone.STALE
    gone = is_stale(view, Kind.PODS)
    seen = Tone.STALE if gone else Tone.PLAIN
    lag = NOT_TOLD if member.lag is None or member.role is Mode.LEADER else str(member.lag)
    latency = f"{report.latency[1]:.1f}" if report.latency else NOT_TOLD
    age = view.wall - pod.created_at if pod.created_at is not None else None
    return Row(
        pod.uid,
        (
            cell(pod.name, Tone.STALE if gone or pod.terminating else Tone.STRONG),
            Cell((role_piece(member, view.at),)),
            cell(pod.node or NOT_TOLD, seen),
            ready_cell(member, gone),
            cell(str(report.zxid) if report.zxid is not None else NOT_TOLD, told, report.zxid),
            cell(lag, Tone.WAITING if member.lag else told, member.lag),
            cell(number(report.connections), told, report.connections),
            cell(latency, told, report.latency[1] if report.latency else None),
            cell(str(pod.restarts), Tone.WAITING if pod.restarts else Tone.DIM, pod.restarts),
            cell(span(age) if age is not None else NOT_TOLD, Tone.DIM, age),
            cell(number(member.myid), Tone.DIM, member.myid),
        ),
    )


def ready_cell(member: Member, gone: bool) -> Cell:
    pod = member.pod
    total = max(1, len(pod.spec.containers))
    tone = Tone.STALE if gone else Tone.PLAIN if pod.ready else Tone.WAITING
    pieces = [Piece(f"{pod.containers_ready}/{total}", tone)]
    if pod.status != "Running":
        pieces.append(Piece(f" {pod.status}", Tone.WAITING))
    elif not pod.ready:
        pieces.append(Piece(" not ready", Tone.WAITING))
    return Cell(tuple(pieces))


def number(value: int | None) -> str:
    return NOT_TOLD if value is None else str(value)


def is_stale(view: View, kind: Kind) -> bool:
    fresh = view.sources.get(kind)
    return fresh is not None and fresh.state in (SourceState.STALE, SourceState.DENIED)


def detail_line(member: Member | None, view: View) -> Line:
    """What the table has no room for, of the member at the cursor: who says it, how old it is, what is wrong."""
    if member is None:
        return Line()
    report, pod = member.report, member.pod
    parts = [Part((Piece(pod.name, Tone.STRONG),))]
    if report.error:
        parts.append(Part((Piece(f"✗ {report.error}", Tone.BLOCKED),)))
    if pod.message and not pod.ready:
        parts.append(Part((Piece(pod.message, Tone.WAITING),)))
    elif pod.terminating and pod.deleting_since is not None:
        parts.append(Part((Piece(f"terminating for {span(view.wall - pod.deleting_since)}", Tone.WAITING),)))
    if member.server is None and report.mode is not Mode.UNKNOWN:
        parts.append(Part((Piece("not in the running configuration", Tone.WAITING),)))
    if member.server is not None:
        parts.append(Part((Piece(f"myid {member.server.myid}", Tone.DIM),), 1))
    if report.source:
        age = report.age(view.at)
        asked = "just now" if age < 1.5 else f"{span(age)} ago"
        parts.append(Part((Piece(f"{report.source}, {asked}", Tone.DIM if report.fresh(view.at) else Tone.STALE),), 1))
    if report.version:
        parts.append(Part((Piece(f"ZooKeeper {report.version}", Tone.DIM),), 2))
    if report.znodes is not None:
        parts.append(Part((Piece(f"{report.znodes} znodes", Tone.DIM),), 3))
    if report.outstanding:
        parts.append(Part((Piece(f"{report.outstanding} outstanding", Tone.WAITING),)))
    if pod.ip:
        parts.append(Part((Piece(pod.ip, Tone.DIM),), 4))
    return Line(tuple(parts))


class EnsemblePane(GridPane):
    """Members by ordinal, what is known of the one at the cursor, and the budgets."""

    DEFAULT_CSS = """
    EnsemblePane > Lines { background: $background; }
    EnsemblePane > BudgetLines { background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__(Grid(COLUMNS, empty="No member's pod exists now."), id="ensemble")
        self._view: View | None = None
        self._ensemble: EnsembleView | None = None
        self._detail = Lines(id="detail")
        self._budgets = BudgetLines(id="budgets")

    def below(self) -> ComposeResult:
        yield self._detail
        yield self._budgets

    def show(self, view: View, ensemble: EnsembleView | None, *, figures: bool = True) -> None:
        """`figures`: the budgets' figures stand here, not in the banner."""
        self._view, self._ensemble = view, ensemble
        if is_stale(view, Kind.PODS):
            self.grid.set_empty(f"Pods can't be listed: {view.sources[Kind.PODS].why}")
        else:
            self.grid.set_empty("No member's pod exists now.")
        self.grid.set_rows([member_row(m, view) for m in ensemble.members] if ensemble else ())
        self._title()
        self._detail_shown()
        self._budgets.paint(view, ensemble, figures=figures)

    @property
    def lines_needed(self) -> int:
        """Lines in which every member and budget is seen: the rule, the heading and the detail included."""
        return 3 + len(self.grid.rows) + len(self._budgets.lines)

    def _title(self) -> None:
        if self._ensemble is None:
            self.titled("Ensemble")
            return
        pieces = [Piece("Ensemble "), Piece(self._ensemble.ensemble.name)]
        if self._ensemble.ensemble.statefulset.is_updating:
            pieces.append(Piece(" · … rolling update", Tone.WAITING))
        if self._ensemble.config is None and self._ensemble.config_why:
            pieces.append(Piece(f" · configuration not read: {self._ensemble.config_why}", Tone.WAITING))
        silent = [member.report.error for member in self._ensemble.members if member.role is Mode.SILENT]
        if silent and len(silent) == len(self._ensemble.members):
            pieces.append(Piece(f" · ✗ ZooKeeper is silent: {silent[0]}; 2 shows its logs", Tone.BLOCKED))
        self.titled(*pieces)

    def _detail_shown(self) -> None:
        if self._view is None:
            return
        uid = self.grid.cursor_uid
        members = self._ensemble.members if self._ensemble else ()
        self._detail.show(detail_line(next((m for m in members if m.pod.uid == uid), None), self._view))

    @on(Grid.Moved)
    def _moved(self) -> None:
        self._detail_shown()
