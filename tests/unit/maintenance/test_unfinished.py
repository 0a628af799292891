"""Finding what is unfinished, judging whether it may be taken, and taking it up: the desk in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from tests.unit.maintenance.world import NAMESPACE
from zktui.core.kube import Lease, PodKey, StatefulSet
from zktui.core.ports import Evicted, Refused, Reply, Unanswered
from zktui.maintenance.desk import Desk
from zktui.maintenance.effects import Survey
from zktui.maintenance.engine import Engine
from zktui.maintenance.journal import FileJournal, is_written, journals_of, read
from zktui.maintenance.model import (
    RUN_ANNOTATION,
    STATE_ANNOTATION,
    Command,
    CommandKind,
    Hold,
    HoldKind,
    NodeStep,
    Options,
    RunStatus,
    Unfinished,
)
from zktui.maintenance.record import from_record
from zktui.maintenance.refusals import CannotBegin, NotFree, ReadOnlyError, RunUnderWay, WordMissing

QUICK = Options(ignore_daemonsets=True, dwell=2.0, hold=Hold(HoldKind.SECONDS, 1.0))
HELD = replace(QUICK, hold=Hold(HoldKind.ASK))


def another_desk(table: Bench, folder: Path, holder: str = "ann@laptop/2", *, read_only: bool = False) -> Desk:
    """The program started again: here, with the same folder, or elsewhere with another one."""
    return Desk(
        table.cluster,
        table.members,
        table.clock,
        table.view,
        state_folder=folder,
        holder=holder,
        read_only=read_only,
    )


def elsewhere(table: Bench) -> Desk:
    return another_desk(table, table.folder / "elsewhere", "bob@desk/7")


def table_of(folder: Path) -> Bench:
    table = bench(folder)
    table.desk = another_desk(table, folder, "ann@laptop/1")
    return table


async def begun(table: Bench, options: Options = QUICK, nodes: tuple[str, ...] = ("node-2", "node-3")) -> Engine:
    plan = await table.finish(table.desk.review(nodes, options))
    return table.desk.begin(plan, "new kernel")


async def killed(table: Bench, step: NodeStep = NodeStep.DRAIN, options: Options = QUICK, pod: str = "") -> Engine:
    """A run whose process was killed at a step, or once it has sent the eviction of a pod."""
    engine = await begun(table, options)

    def there() -> bool:
        node = engine.run.node
        if pod:
            return any(e.kind == "evict" and e.pod == pod for e in engine.journal.events)
        flying = engine._state.busy  # pyright: ignore[reportPrivateUsage]  # what arrives later is another test's
        return node is not None and node.step is step and isinstance(flying, Survey | None)

    await table.clock.until(there)
    await kill(table, engine)
    return engine


async def kill(table: Bench, engine: Engine) -> None:
    """What SIGKILL leaves: no last line in the journal, no release of the lease, no lock on the file."""
    engine._ended.set()  # pyright: ignore[reportPrivateUsage]  # nothing else stops it without a word
    assert table.desk.task is not None
    await table.finish(table.desk.task)
    await asyncio.sleep(0)


async def only(table: Bench, desk: Desk) -> Unfinished:
    (found,) = await table.finish(desk.unfinished())
    return found


async def watched(table: Bench, desk: Desk, seconds: float) -> Unfinished:
    """Looked at now and again after a while."""
    await only(table, desk)
    end = table.clock.now() + seconds
    await table.finish(table.clock.sleep(seconds))
    assert table.clock.now() >= end
    return await only(table, desk)


async def done(table: Bench, desk: Desk) -> None:
    """The run that this desk has taken up comes to its end, and everything is whole."""
    assert desk.task is not None
    run = await table.finish(desk.task)
    assert run.status is RunStatus.DONE, run.message
    assert not [n for n in table.world.nodes.values() if n.unschedulable]
    assert table.world.leases[NAMESPACE].holder == ""
    assert await table.finish(desk.unfinished()) == ()
    granted = [key.uid for key in table.world.evicted]
    assert len(granted) == len(set(granted)), "a pod was evicted twice"


async def test_what_is_next_reads_as_a_sentence_about_one_member(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await begun(table)

    def kept() -> bool:
        lease = table.world.leases.get(NAMESPACE)
        return lease is not None and '"step":"drained"' in lease.annotations.get(STATE_ANNOTATION, "")

    await table.clock.until(kept)
    await kill(table, engine)
    found = await only(table, another_desk(table, tmp_path))
    assert found.next_step == "Wait until zk-1 of node-2 serves again, then hold node-2."


async def test_killed_here_it_is_free_at_once(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await killed(table, pod="zk-1")
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    assert (found.run_id, found.namespace, found.status) == (engine.run.id, NAMESPACE, RunStatus.RUNNING)
    assert (found.free, found.wait, found.word, found.here) == (True, 0.0, "", True)
    assert found.holder == f"ann@laptop/1 ({engine.run.id})"
    assert found.cordoned == ("node-2",) and found.away == ("zk-1",)
    assert (found.note, found.options) == ("new kernel", QUICK)
    assert [n.step for n in found.nodes] == [NodeStep.DRAIN, NodeStep.PENDING]
    assert "zk-1" in found.next_step
    assert found.by_hand == (
        "kubectl -n default get pods -l app=zk -o wide",
        "kubectl uncordon node-2",
        "kubectl annotate nodes node-2 zktui/run-",
        "kubectl -n default delete lease zktui-maintenance",
        "# not begun: node-3",
    )
    await table.finish(desk.resume(found))
    await done(table, desk)
    first, second = journals_of(tmp_path, engine.run.id)
    assert second.name == f"{engine.run.id}.2.jsonl"
    assert first.name in read(second)[0].text and "ann@laptop/1" in read(second)[0].text


async def test_elsewhere_only_the_leases_silence_and_a_typed_word_make_it_free(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await killed(table)
    desk = elsewhere(table)
    found = await only(table, desk)
    assert (found.free, found.word, found.here) == (False, engine.run.id, False)
    assert found.wait == pytest.approx(40.0, abs=0.1)  # pyright: ignore[reportUnknownMemberType]  # as it is typed
    with pytest.raises(NotFree) as refused:
        await table.finish(desk.resume(found, engine.run.id))
    assert refused.value.wait is not None and 0 < refused.value.wait <= 40
    found = await watched(table, desk, 39.0)
    assert not found.free and found.wait is not None and found.wait < 2
    found = await watched(table, desk, 3.0)
    assert found.free and found.wait == 0
    for typed in ("", "yes", engine.run.id[:-1]):
        with pytest.raises(WordMissing, match="type its id"):
            await table.finish(desk.resume(found, typed))
    await table.finish(desk.resume(found, engine.run.id))
    await done(table, desk)
    assert "bob@desk/7" in from_record(table.world.leases[NAMESPACE].annotations[STATE_ANNOTATION]).who


@pytest.mark.parametrize("offset", [-600.0, 600.0], ids=["behind", "ahead"])
async def test_clocks_that_differ_by_minutes_say_nothing(tmp_path: Path, offset: float) -> None:
    """A lease renewed "ten minutes ago", or "in ten minutes", is judged by having been watched, as in client-go."""
    table = table_of(tmp_path)
    await killed(table)
    lease = table.world.leases[NAMESPACE]
    assert lease.renewed_at is not None
    table.world.leases[NAMESPACE] = replace(lease, renewed_at=lease.renewed_at + offset)
    desk = elsewhere(table)
    assert not (await only(table, desk)).free
    assert not (await watched(table, desk, 30.0)).free
    assert (await watched(table, desk, 11.0)).free


async def test_a_living_run_is_not_free_however_long_it_is_watched(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await begun(table, HELD)
    await table.clock.until(lambda: engine.run.nodes[0].step is NodeStep.HOLD)
    assert await table.finish(table.desk.unfinished()) == (), "what is under way in this program is not unfinished"
    here, there = another_desk(table, tmp_path), elsewhere(table)
    found = await only(table, here)
    assert (found.free, found.wait) == (False, None)
    with pytest.raises(NotFree, match="alive on this machine"):
        await table.finish(here.resume(found))
    for _ in range(6):
        assert not (await watched(table, there, 15.0)).free
    engine.command(Command(CommandKind.ABORT))
    assert table.desk.task is not None
    await table.finish(table.desk.task)
    # It ended and left its node cordoned: that is unfinished, and anybody's.
    found = await only(table, there)
    assert (found.status, found.free, found.word, found.holder) == (RunStatus.ABORTED, True, "", "")
    await table.finish(there.resume(found, hold=Hold(HoldKind.SECONDS, 0.0)))
    await done(table, there)


async def test_it_was_renewed_while_somebody_thought_it_over(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await killed(table)
    desk = elsewhere(table)
    found = await watched(table, desk, 41.0)
    assert found.free
    lease = table.world.leases[NAMESPACE]
    table.world.put_lease(replace(lease, renewed_at=table.clock.wall()), create=False)
    with pytest.raises(NotFree):
        await table.finish(desk.resume(found, engine.run.id))
    lease = table.world.leases[NAMESPACE]
    table.world.put_lease(replace(lease, holder="eve@other/3"), create=False)
    with pytest.raises(NotFree, match="eve@other"):
        await table.finish(desk.resume(found, engine.run.id))


async def test_two_take_it_up_at_once_and_the_lease_decides(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await killed(table)
    one = another_desk(table, tmp_path / "one", "bob@desk/7")
    two = another_desk(table, tmp_path / "two", "eve@other/8")
    first, second = await watched(table, one, 41.0), await watched(table, two, 41.0)
    await table.finish(asyncio.gather(one.resume(first, engine.run.id), two.resume(second, engine.run.id)))
    assert one.task is not None and two.task is not None
    runs = await table.finish(asyncio.gather(one.task, two.task))
    assert sorted(run.status for run in runs) == [RunStatus.DONE, RunStatus.FAILED], [run.message for run in runs]
    lost = next(run for run in runs if run.status is RunStatus.FAILED)
    assert "where this run goes on: nothing is to be undone here" in lost.message
    assert lost.cordoned == () and "kubectl uncordon" not in lost.message, "what the other one works on is not undone"
    granted = [key.uid for key in table.world.evicted]
    assert len(granted) == len(set(granted))


def spoil(table: Bench, text: str) -> None:
    lease = table.world.leases[NAMESPACE]
    table.world.leases[NAMESPACE] = replace(lease, annotations={**lease.annotations, STATE_ANNOTATION: text})


async def test_a_corrupted_state_is_had_from_the_journal_where_that_is(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    spoil(table, '{"v":1,"run":')
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    assert found.refused == "" and found.free and [n.name for n in found.nodes] == ["node-2", "node-3"]
    await table.finish(desk.resume(found))
    await done(table, desk)


async def test_a_corrupted_state_elsewhere_can_only_be_ended(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await killed(table)
    spoil(table, "nonsense")
    desk = elsewhere(table)
    found = await watched(table, desk, 41.0)
    assert "is corrupted" in found.refused and found.cordoned == ("node-2",), "by the mark on the node"
    assert "kubectl uncordon node-2" in found.by_hand
    with pytest.raises(CannotBegin, match="is corrupted"):
        await table.finish(desk.resume(found, engine.run.id))
    await table.finish(desk.abandon(found, engine.run.id))
    assert desk.task is not None
    run = await table.finish(desk.task)
    assert run.status is RunStatus.ABORTED and "kubectl uncordon node-2" in run.message
    assert table.world.nodes["node-2"].unschedulable, "it is named, and not undone"
    kept = from_record(table.world.leases[NAMESPACE].annotations[STATE_ANNOTATION])
    assert (kept.run_id, kept.status) == (engine.run.id, RunStatus.ABORTED)


async def test_a_newer_programs_state_is_left_to_it(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    kept = json.loads(table.world.leases[NAMESPACE].annotations[STATE_ANNOTATION])
    spoil(table, json.dumps({**kept, "v": 2}))
    before = table.world.leases[NAMESPACE]
    for desk in (another_desk(table, tmp_path), elsewhere(table)):
        found = await watched(table, desk, 41.0)
        assert "newer zktui" in found.refused
        assert "kubectl uncordon node-2" in found.by_hand
        for take in (desk.resume, desk.abandon):
            with pytest.raises(CannotBegin, match="newer zktui"):
                await table.finish(take(found, found.word))
    assert table.world.leases[NAMESPACE] == before


async def test_a_deleted_lease_is_no_end_where_the_journal_is(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    table.world.leases.clear()
    assert await table.finish(elsewhere(table).unfinished()) == ()
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    assert (found.holder, found.free, found.word) == ("", True, "")
    assert "delete lease" not in " ".join(found.by_hand)
    await table.finish(desk.resume(found))
    await done(table, desk)


async def test_ended_instead_it_names_what_is_left_until_somebody_undoes_it(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table, NodeStep.HOLD, HELD)
    calls = list(table.cluster.calls)
    desk = another_desk(table, tmp_path)
    await table.finish(desk.abandon(await only(table, desk)))
    assert desk.task is not None
    run = await table.finish(desk.task)
    assert run.status is RunStatus.ABORTED and run.cordoned == ("node-2",)
    assert table.cluster.calls == calls, "nothing was changed but the lease"
    found = await only(table, desk)
    assert (found.status, found.cordoned, found.free, found.word) == (RunStatus.ABORTED, ("node-2",), True, "")
    node = table.world.nodes["node-2"]
    node.unschedulable, node.version = False, node.version + 1
    assert await table.finish(desk.unfinished()) == (), "what somebody has undone by hand is over"


async def test_ended_while_a_member_serves_but_not_for_long_it_says_so(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table, NodeStep.DRAINED)
    await table.finish(table.clock.sleep(60.0))
    desk = another_desk(table, tmp_path)
    await table.finish(desk.abandon(await only(table, desk)))
    assert desk.task is not None
    run = await table.finish(desk.task)
    away = next(p for p in run.nodes[0].pods if p.member)
    assert f"Not back yet: {away.pod.name} (serves for 0 s of 2 s)." in run.message, run.message


async def test_a_failed_run_goes_on_once_its_cause_is_gone(tmp_path: Path) -> None:
    table = table_of(tmp_path)

    def denied(pod: PodKey) -> Reply[Evicted] | None:
        return Refused(403, "Forbidden", 'cannot create resource "pods/eviction"', table.clock.now())

    table.cluster.on_evict = denied
    await begun(table)
    assert table.desk.task is not None
    run = await table.finish(table.desk.task)
    assert run.status is RunStatus.FAILED
    found = await only(table, table.desk)
    assert (found.status, found.nodes[0].step, found.free) == (RunStatus.FAILED, NodeStep.STOPPED, True)
    assert "not permitted" in found.message and found.next_step.startswith("Go on draining node-2")
    table.cluster.on_evict = lambda _: None
    await table.finish(table.desk.resume(found))
    await done(table, table.desk)


async def test_a_right_that_is_missing_now_is_told_before_the_lease_is_taken(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    before = table.world.leases[NAMESPACE]
    table.cluster.denied = frozenset({"patch nodes"})
    desk = another_desk(table, tmp_path)
    with pytest.raises(CannotBegin, match="not permitted: patch nodes"):
        await table.finish(desk.resume(await only(table, desk)))
    assert table.world.leases[NAMESPACE] == before


async def test_its_ensemble_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(tmp_path)
    await killed(table)
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    monkeypatch.setattr(table.world, "statefulset", lambda: StatefulSet(NAMESPACE, "other", "another-uid"))
    with pytest.raises(CannotBegin, match="was deleted, or made again"):
        await table.finish(desk.resume(found))
    monkeypatch.undo()
    await table.finish(desk.resume(found))
    await done(table, desk)


async def test_no_other_run_begins_where_one_is_unfinished(tmp_path: Path) -> None:
    """Neither after a review, which says stop, nor from a plan that was reviewed before."""
    table = table_of(tmp_path)
    desk = elsewhere(table)
    early = await table.finish(desk.review(("node-4",), QUICK))
    assert early.go
    engine = await killed(table)
    late = await table.finish(desk.review(("node-4",), QUICK))
    assert [(s.code, s.unblock) for s in late.stops] == [("unfinished", "zktui where")]
    assert engine.run.id in late.stops[0].text
    desk.begin(early)
    assert desk.task is not None
    run = await table.finish(desk.task)
    assert run.status is RunStatus.FAILED
    assert f"has the unfinished run {engine.run.id} of ann@laptop/1" in run.message
    assert "kubectl" not in run.message, "nothing was changed"
    found = await only(table, another_desk(table, tmp_path))
    assert found.run_id == engine.run.id, "its state is still there"


async def test_a_lease_without_a_state_is_taken_once_it_has_expired(tmp_path: Path) -> None:
    """An older program's, or somebody else's of that name: there is nothing to go on with."""
    table = table_of(tmp_path)
    held = Lease(NAMESPACE, "zktui-maintenance", holder="old@host", duration=30, renewed_at=table.clock.wall())
    table.world.put_lease(held, create=True)
    assert await table.finish(table.desk.unfinished()) == ()
    await begun(table)
    await done(table, table.desk)


async def test_left_unattended_it_is_unfinished_and_free(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    engine = await begun(table, HELD)
    await table.clock.until(lambda: engine.run.nodes[0].step is NodeStep.HOLD)
    assert table.desk.task is not None
    table.desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await table.finish(table.desk.task)
    await asyncio.sleep(0)
    found = await only(table, table.desk)
    assert found.free and found.word == ""
    await table.finish(table.desk.resume(found, hold=Hold(HoldKind.SECONDS, 0.0)))
    await done(table, table.desk)


async def test_read_only_sees_it_and_takes_nothing(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    desk = another_desk(table, tmp_path, read_only=True)
    found = await only(table, desk)
    for take in (desk.resume, desk.abandon):
        with pytest.raises(ReadOnlyError):
            await table.finish(take(found))


async def test_one_run_at_a_time_also_when_one_is_taken_up(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table)
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    await table.finish(desk.resume(found))
    with pytest.raises(RunUnderWay):
        await table.finish(desk.resume(found))
    await done(table, desk)


async def test_a_node_that_is_gone_is_nothing_to_do(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    await killed(table, NodeStep.HOLD, HELD)
    table.world.lose_node("node-2", replaced=False)
    desk = another_desk(table, tmp_path)
    found = await only(table, desk)
    assert found.cordoned == ()
    await table.finish(desk.resume(found, hold=Hold(HoldKind.SECONDS, 0.0)))
    await done(table, desk)


async def test_the_journals_lock_tells_whether_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "r.jsonl"
    journal = FileJournal(path)
    assert is_written(path)
    journal.close()
    assert not is_written(path)
    assert is_written(tmp_path / "nowhere"), "what can't be told is not free"


async def test_a_run_of_another_namespace_is_found_by_its_journal(tmp_path: Path) -> None:
    """`zktui where` in a hurry: whatever namespace the context has."""
    table = table_of(tmp_path)
    await killed(table)
    view = table.view()
    desk = another_desk(table, tmp_path)
    desk._view = lambda: replace(view, ensembles=())  # pyright: ignore[reportPrivateUsage]  # nothing is in view
    assert (await only(table, desk)).cordoned == ("node-2",)
    other = elsewhere(table)
    other._view = lambda: replace(view, ensembles=())  # pyright: ignore[reportPrivateUsage]
    assert await table.finish(other.unfinished()) == ()


async def test_whatever_can_not_be_read_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(tmp_path)
    await killed(table)
    desk = another_desk(table, tmp_path)

    async def refused(namespace: str, name: str) -> Reply[Lease]:
        return Refused(403, "Forbidden", "leases is forbidden", table.clock.now())

    monkeypatch.setattr(table.cluster, "lease", refused)
    assert await table.finish(desk.unfinished()) == ()
    monkeypatch.undo()

    async def unread() -> Reply[tuple[object, ...]]:
        return Refused(403, "Forbidden", "nodes is forbidden", table.clock.now())

    monkeypatch.setattr(table.cluster, "nodes", unread)
    assert (await only(table, desk)).cordoned == ("node-2",), "as recorded, where the nodes can't be read"
    (path,) = journals_of(tmp_path, (await only(table, desk)).run_id)
    path.write_bytes(b"\xff\xfe not a journal\n")
    assert not (await only(table, desk)).here


@pytest.mark.parametrize("acted", [True, False])
async def test_lost_answers_on_the_lease_lose_nothing(tmp_path: Path, acted: bool) -> None:
    """Each write of the state that is not answered is read before anything else is sent."""
    table = table_of(tmp_path)
    real, count = table.cluster.update_lease, [0]

    async def lossy(lease: Lease) -> Reply[Lease]:
        count[0] += 1
        if count[0] % 3:
            return await real(lease)
        if acted:
            await real(lease)
        return await lost()

    async def lost() -> Reply[Lease]:

        await table.clock.sleep(0.5)
        return Unanswered("connection reset", table.clock.now())

    table.cluster.update_lease = lossy
    engine = await begun(table)
    said: list[tuple[str, str] | None] = []

    def look(pod: PodKey) -> Reply[Evicted] | None:
        kept = from_record(table.world.leases[NAMESPACE].annotations[STATE_ANNOTATION])
        said.append(kept.intent)
        assert kept.intent == ("evict", pod.uid)
        return None

    table.cluster.on_evict = look
    assert table.desk.task is not None
    run = await table.finish(table.desk.task)
    assert run.status is RunStatus.DONE, run.message
    assert len(said) == 4 and count[0] > 9
    assert table.world.leases[NAMESPACE].annotations[RUN_ANNOTATION] == engine.run.id
