"""What a run leaves to be read: the probe beside it, Events on what it touches, and its report, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Notice, ProbeGap, ProbeSession, ProbeSummary, Refused, Reply
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.desk import Desk
from zktui.maintenance.engine import Engine
from zktui.maintenance.markdown import to_markdown
from zktui.maintenance.model import Command, CommandKind, Hold, HoldKind, Options, Run, RunStatus
from zktui.maintenance.outages import BELOW, LEADERLESS
from zktui.maintenance.report import UNATTENDED, Report, report
from zktui.maintenance.reportjson import to_document, to_jsonl
from zktui.maintenance.runs import find_runs, list_runs

QUICK = Options(ignore_daemonsets=True, dwell=2.0, hold=Hold(HoldKind.SECONDS, 1.0))
ALL = ("node-1", "node-2", "node-3", "node-4")


@dataclass
class Witness:
    """A probe that feels what it is told to."""

    writes: bool = False
    told: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    """Names and UIDs of the pods each time."""
    stopped: int = 0
    felt: ProbeSummary = field(default_factory=ProbeSummary)

    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        assert not self.stopped
        self.told.append(tuple(f"{pod.name} {pod.uid}" for pod in pods))

    def summary(self) -> ProbeSummary:
        return self.felt

    async def stop(self) -> ProbeSummary:
        self.stopped += 1
        return self.felt


@dataclass
class Board:
    """Where Events are written; `refuse` answers in its place."""

    notices: list[Notice] = field(default_factory=list[Notice])
    refuse: Reply[str] | Exception | None = None

    async def announce(self, notice: Notice) -> Reply[str]:
        self.notices.append(notice)
        await asyncio.sleep(0)
        if isinstance(self.refuse, Exception):
            raise self.refuse
        return self.refuse or Answer("an-event", 0.0)

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return [(n.kind, n.name, n.reason) for n in self.notices]


class Table(Bench):
    """A bench whose desk has a witness and an announcer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.witnesses: list[Witness] = []
        self.board = Board()
        self.desk = self.another_desk()

    def another_desk(self) -> Desk:
        def witness(writes: bool) -> Witness:
            self.witnesses.append(Witness(writes))
            return self.witnesses[-1]

        return Desk(
            self.cluster,
            self.members,
            self.clock,
            self.view,
            state_folder=self.folder,
            holder="ann@laptop",
            read_only=False,
            witness=witness,
            announcer=self.board,
        )


def laid(folder: Path, seed: int = 1) -> Table:
    return Table(bench(folder, seed).world, folder)


async def begun(table: Table, nodes: tuple[str, ...], options: Options = QUICK, note: str = "") -> Engine:
    plan = await table.finish(table.desk.review(nodes, options))
    assert plan.go, plan.stops
    return table.desk.begin(plan, note)


async def ended(table: Table) -> Run:
    assert table.desk.task is not None
    return await table.finish(table.desk.task)


def told(engine: Engine) -> Report:
    return report(engine.journal.events)


@pytest.mark.parametrize("seed", range(1, 7))
async def test_the_report_of_a_rolling_maintenance_says_what_has_happened(tmp_path: Path, seed: int) -> None:
    """Compared with the simulated cluster's own account, which the engine does not see."""
    table = laid(tmp_path, seed)
    before = {p.name: (p.uid, p.node) for p in table.world.members()}
    quorum: list[tuple[float, bool]] = []
    advance = table.world.advance

    def watched(to: float) -> None:
        while table.world.now + 0.25 <= to:
            advance(table.world.now + 0.25)
            quorum.append((table.world.now, table.world.quorum()))

    table.world.advance = watched  # type: ignore[method-assign]
    engine = await begun(table, ALL, note="new kernel")
    assert (await ended(table)).status is RunStatus.DONE
    found = told(engine)

    assert (found.status, found.cordoned, found.notes) == ("done", (), ("new kernel",))
    assert found.who.startswith("ann@laptop")
    assert found.run_id == engine.run.id
    assert {(m.pod, m.uid, m.node) for m in found.evicted} == {(name, *was) for name, was in before.items()}
    after = {p.name: p for p in table.world.members()}
    for move in found.evicted:
        assert move.gone is not None and move.rejoined is not None
        assert move.evicted < move.gone < move.rejoined
        assert move.answers == (f"evict {move.pod}: 201",)
        assert move.placed_on == after[move.pod].node
    assert len(found.elections) == table.world.elections == 1
    assert found.elections[0].leader == next(p.name for p in after.values() if p.uid == table.world.leader)
    down = 0.25 * sum(not serving for _, serving in quorum)
    least, most = found.outage(LEADERLESS)
    assert most is not None
    assert least - 0.25 <= down <= most + 0.25, "the servers' own account lies between what the report says"
    assert found.outage(BELOW)[1] is not None
    assert found.readings > 10 and 0 < found.widest < 5
    assert {node.name for node in found.nodes} == set(ALL)
    for node in found.nodes:
        times = [node.cordoned, node.drained, node.held, node.uncordoned, node.verified]
        assert None not in times
    assert {point.allowed for point in found.budget} == {0, 1}


async def test_it_is_written_beside_the_journal_and_read_back(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-1",))
    await ended(table)
    (past,) = list_runs(tmp_path)
    assert (past.id, past.status, past.problem) == (engine.run.id, "done", "")
    assert past.report == told(engine)
    assert past.markdown.read_text() == to_markdown(told(engine))
    assert oct(past.markdown.stat().st_mode & 0o777) == "0o600"
    lines = [json.loads(line) for line in (tmp_path / "runs" / f"{past.id}.report.jsonl").read_text().splitlines()]
    assert lines == [json.loads(line) for line in to_jsonl(told(engine)).splitlines()]
    assert (lines[0]["kind"], lines[0]["status"], lines[0]["membersMoved"]) == ("Report", "done", 1)
    assert json.loads(json.dumps(to_document(told(engine))))["run"] == past.id
    assert find_runs(tmp_path, "last") == find_runs(tmp_path, past.id[:10]) == (past,)
    assert find_runs(tmp_path, "nothing") == ()


async def test_a_run_that_fails_or_is_aborted_is_reported_with_what_stays_cordoned(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-4",), replace(QUICK, hold=Hold()))
    await table.clock.until(lambda: engine.run.cordoned == ("node-4",))
    engine.command(Command(CommandKind.ABORT))
    await ended(table)
    (past,) = list_runs(tmp_path)
    assert past.report is not None
    assert (past.status, past.report.cordoned) == ("aborted", ("node-4",))
    assert "kubectl uncordon node-4" in past.markdown.read_text()
    assert ("Node", "node-4", "ZktuiStopped") in table.board.said
    assert [n.warning for n in table.board.notices if n.reason == "ZktuiStopped"] == [True]


async def test_a_run_that_is_left_has_a_report_too(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-4",), replace(QUICK, hold=Hold()))
    await table.clock.until(lambda: engine.run.cordoned == ("node-4",))
    assert table.desk.task is not None
    table.desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended(table)
    (past,) = list_runs(tmp_path)
    assert past.report is not None
    assert (past.status, past.report.cordoned) == (UNATTENDED, ("node-4",))
    assert past.markdown.exists()
    assert table.witnesses[0].stopped == 1


async def test_a_run_that_was_killed_names_what_it_had_cordoned_and_was_about_to(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-4",), replace(QUICK, hold=Hold()))
    # Its journal as a SIGKILL would leave it, at each line: whatever is really cordoned by then is named.
    cordoned: list[tuple[int, bool]] = []

    def look() -> bool:
        cordoned.append((len(engine.journal.events), table.world.nodes["node-4"].unschedulable))
        return engine.run.cordoned == ("node-4",)

    await table.clock.until(look)
    for lines, really in cordoned:
        if lines:
            killed = report(engine.journal.events[:lines])
            assert killed.status == UNATTENDED
            assert not really or killed.cordoned == ("node-4",)
    engine.command(Command(CommandKind.ABORT))
    await ended(table)


async def test_a_resumed_run_has_one_report_of_all_its_parts(tmp_path: Path) -> None:
    table = laid(tmp_path)
    follower = next(p for p in table.world.members() if p.uid != table.world.leader)
    engine = await begun(table, (follower.node,))
    await table.clock.until(lambda: follower.uid in table.world.deleted_by_us)
    assert table.desk.task is not None
    table.desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended(table)
    table.desk = table.another_desk()
    (unfinished,) = await table.finish(table.desk.unfinished())
    assert unfinished.run_id == engine.run.id
    await table.finish(table.desk.resume(unfinished, unfinished.word))
    assert (await ended(table)).status is RunStatus.DONE
    (past,) = list_runs(tmp_path)
    assert len(past.paths) == 2
    assert past.report is not None
    assert (past.status, past.report.parts, past.report.cordoned) == ("done", 2, ())
    assert [(m.pod, m.uid) for m in past.report.evicted] == [(follower.name, follower.uid)]
    assert "resumed: 2 programs worked at it" in past.markdown.read_text()


async def test_the_probe_is_told_the_pods_as_they_are_and_ended_with_the_run(tmp_path: Path) -> None:
    table = laid(tmp_path)
    follower = next(p for p in table.world.members() if p.uid != table.world.leader)
    engine = await begun(table, (follower.node,), replace(QUICK, probe_writes=True))
    (witness,) = table.witnesses
    assert witness.writes
    session = ProbeSession("default", "zk-0", "zk-1", 90, 2, 1.25, 0, writes=5)
    gap = ProbeGap(1_800_000_003.0, 1.25, "zk-0", "zk-0", "zk-1", "the connection was lost")
    witness.felt = ProbeSummary(90, 2, 1.25, {"zk-0": 1.25}, (session,), (gap,))
    assert engine.probe == witness.felt
    await ended(table)
    assert witness.stopped == 1
    names = {name for told in witness.told for name in told}
    reborn = next(p for p in table.world.members() if p.name == follower.name)
    assert {f"{follower.name} {follower.uid}", f"{reborn.name} {reborn.uid}"} <= names
    assert told(engine).probe == witness.felt
    text = to_markdown(told(engine))
    assert "| longest gap that a client session felt | 1.2 s |" in text
    assert "acknowledged writes lost | 0 of 5" in text
    (line,) = [event for event in engine.journal.events if event.kind == "proof"]
    assert line.text == "probe: 1 sessions, 2 of 90 operations failed, longest gap 1.2 s"


async def test_without_a_probe_there_is_none(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-4",), replace(QUICK, probe=False))
    await ended(table)
    assert table.witnesses == []
    assert engine.probe is None
    assert "Was not probed" in to_markdown(told(engine))


async def test_events_on_the_node_and_on_its_members_stateful_set(tmp_path: Path) -> None:
    table = laid(tmp_path)
    follower = next(p for p in table.world.members() if p.uid != table.world.leader)
    node = follower.node
    engine = await begun(table, (node,))
    await ended(table)
    assert table.board.said == [
        ("Node", node, "ZktuiCordoned"),
        ("Node", node, "ZktuiDrained"),
        ("StatefulSet", "zk", "ZktuiDrained"),
        ("Node", node, "ZktuiUncordoned"),
        ("Node", node, "ZktuiVerified"),
        ("StatefulSet", "zk", "ZktuiVerified"),
    ]
    for notice in table.board.notices:
        assert engine.run.id in notice.message
        expected = table.world.nodes[node].uid if notice.kind == "Node" else "sts-zk"
        assert (notice.uid, notice.warning) == (expected, False)
        assert (notice.namespace, notice.api_version) == (
            ("", "v1") if notice.kind == "Node" else ("default", "apps/v1")
        )
    assert follower.name in next(n.message for n in table.board.notices if n.reason == "ZktuiDrained")


async def test_a_cordon_by_someone_else_is_not_announced_as_ours(tmp_path: Path) -> None:
    table = laid(tmp_path)
    table.world.nodes["node-4"].unschedulable = True
    await begun(table, ("node-4",))
    await ended(table)
    assert {reason for _, _, reason in table.board.said} == {"ZktuiDrained", "ZktuiVerified"}


REFUSED = Refused(403, "Forbidden", 'events is forbidden: User "ann" cannot create resource "events"', 0.0)


@pytest.mark.parametrize("refuse", [REFUSED, RuntimeError("the pool is closed")])
async def test_an_event_that_can_t_be_written_stops_nothing_and_is_told_once(
    tmp_path: Path, refuse: Reply[str] | Exception
) -> None:
    table = laid(tmp_path)
    table.board.refuse = refuse
    engine = await begun(table, ("node-1",))
    assert (await ended(table)).status is RunStatus.DONE
    notes = [e.text for e in engine.journal.events if "could not be written" in e.text]
    assert len(notes) == 1
    assert notes[0].startswith("the Event ZktuiCordoned could not be written on Node node-1: ")


async def test_a_report_that_can_t_be_written_is_told_and_no_failure(tmp_path: Path) -> None:
    table = laid(tmp_path)
    engine = await begun(table, ("node-4",))
    (tmp_path / "runs" / f"{engine.run.id}.md").mkdir()
    assert (await ended(table)).status is RunStatus.DONE
    assert any("could not be written" in event.text for event in engine.journal.events)
    assert list_runs(tmp_path)[0].status == "done"
