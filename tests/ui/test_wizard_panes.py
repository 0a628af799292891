"""What the wizard's panes say, without a screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.ui import wizard_states as states
from tests.ui.fakes import NOW, WALL, World
from zktui.core.ports import ProbeSession, ProbeSummary
from zktui.core.quorum import Health, Quorum
from zktui.core.zookeeper import Mode
from zktui.maintenance.model import (
    POWERED_OFF,
    BudgetSample,
    Event,
    Finding,
    GateName,
    Hold,
    HoldKind,
    Level,
    NodeStep,
    Options,
    PlanAct,
    PlanStep,
    PodStep,
    RunStatus,
    Standing,
)
from zktui.ui.screens.wizard import band, chart, figures, gates, journal, options, plan, shape, standing, steps, summary
from zktui.ui.screens.wizard.standing import Light
from zktui.ui.screens.wizard.words import bar, span, table
from zktui.ui.text import Piece, plain
from zktui.ui.widgets.page import Row

HEALTHY = Quorum(Health.QUORUM, 3, 3, "zk-1", 12)


def said(rows: Sequence[Row]) -> str:
    return "\n".join(each.head.plain + each.body.plain for each in rows)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.21, "0.2 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (192, "3 min 12 s"), (7500, "2 h 05 min")],
)
def test_a_span_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_bar_is_full_only_when_nothing_is_left() -> None:
    assert [bar(done, 10, 4) for done in (0, 4, 9.99, 10)] == ["▱▱▱▱", "▰▱▱▱", "▰▰▰▱", "▰▰▰▰"]


def test_columns_of_a_table_are_as_wide_as_their_widest_cell() -> None:
    lines = table([["a", "1", "x"], ["long", "22", "yy"]], ("left", "right"))
    assert [plain(line) for line in lines] == ["a      1  x", "long  22  yy"]


@pytest.mark.parametrize(
    ("state", "light", "word"),
    [
        ("claim", Light.SAFE, "WORKING"),
        ("gates", Light.SAFE, "WORKING"),
        ("waiting", Light.WAITING, "WAITING"),
        ("evict", Light.WAITING, "WAITING"),
        ("leaving", Light.WAITING, "WAITING"),
        ("placed", Light.WAITING, "WAITING"),
        ("drained", Light.SAFE, "WORKING"),
        ("hold", Light.SAFE, "YOURS"),
        ("hold-waits", Light.WAITING, "YOURS"),
        ("paused", Light.WAITING, "PAUSED"),
        ("pausing", Light.WAITING, "PAUSING"),
        ("aborting", Light.WAITING, "STOPPING"),
        ("done", Light.SAFE, "DONE"),
        ("aborted", Light.BLOCKED, "ABORTED"),
        ("failed", Light.BLOCKED, "FAILED"),
        *((f"blocked-{name.value}", Light.BLOCKED, "BLOCKED") for name in GateName),
    ],
)
def test_one_word_for_every_state(state: str, light: Light, word: str) -> None:
    told = standing.answer(states.STATES[state](), HEALTHY, NOW)
    assert (told.light, told.word) == (light, word)
    assert told.sentence


@pytest.mark.parametrize("state", ["gates", "waiting", "paused", "hold", "blocked-budget"])
def test_a_lost_quorum_is_said_before_all_else(state: str) -> None:
    lost = Quorum(Health.NO_QUORUM, 3, 1, why="no member leads")
    told = standing.answer(states.STATES[state](), lost, NOW)
    assert (told.light, told.word) == (Light.BLOCKED, "NO QUORUM")
    assert "no member leads" in told.sentence


def of(serving: int, voters: int = 3, health: Health = Health.QUORUM) -> Quorum:
    return Quorum(health, voters, serving, "zk-1", 12)


@pytest.mark.parametrize(
    ("state", "quorum", "light", "word", "figure"),
    [
        ("gates", of(3), Light.SAFE, "SAFE", "1"),
        ("gates", of(5, 5), Light.SAFE, "SAFE", "2"),
        ("blocked-landing", of(3), Light.SAFE, "SAFE", "1"),
        ("placed", of(2), Light.WAITING, "EXPOSED", "0"),
        ("hold-waits", of(2), Light.WAITING, "EXPOSED", "0"),
        ("gates", of(2, 2), Light.WAITING, "EXPOSED", "0"),
        ("gates", of(2), Light.BLOCKED, "DANGER", "0"),
        ("placed", of(3, 5), Light.BLOCKED, "DANGER", "0"),
        ("placed", of(1, 3, Health.NO_QUORUM), Light.BLOCKED, "NO QUORUM", "x"),
        ("gates", of(0, 3, Health.UNKNOWN), Light.WAITING, "UNKNOWN", "?"),
    ],
)
def test_how_many_may_be_lost_and_whether_that_is_as_it_should_be(
    state: str, quorum: Quorum, light: Light, word: str, figure: str
) -> None:
    told = standing.safety(states.STATES[state](), states.KEY, quorum)
    assert (told.light, told.word, told.figure) == (light, word, figure)


def test_without_an_ensemble_there_is_nothing_to_judge() -> None:
    assert standing.safety(states.STATES["gates"](), None, None) == standing.NOTHING


@pytest.mark.parametrize("figure", [*"0123456789?x", "12"])
def test_a_large_figure_takes_three_lines_of_three_cells_each(figure: str) -> None:
    assert [len(line) for line in band.large(figure)] == [3 * len(figure)] * 3


def spoken(lines: Sequence[Sequence[Piece]]) -> list[str]:
    return [plain(line) for line in lines]


def test_the_figures_tell_quorum_budget_exposure_and_what_clients_felt() -> None:
    run = states.STATES["placed"]()
    felt = states.engine(run).probe
    assert spoken(figures.figures(run, of(2), sample(0, 0), felt, NOW)) == [
        "quorum 2/3 · budget allows 0",
        "exposed 0:07",
        "writes lost 0 · longest gap 0.1 s",
    ]
    assert spoken(figures.figures(states.STATES["gates"](), None, None, None, NOW)) == ["not exposed"]


def test_a_node_that_is_over_keeps_its_members_when_the_run_is_taken_up() -> None:
    """What is left of its plan then is its name: that is not "no pods"."""
    run = states.STATES["hold"]()
    bare = tuple(replace(each, members=(), others=()) for each in run.plan.nodes)
    told = said(steps.rows(replace(run, plan=replace(run.plan, nodes=bare)), NOW))
    assert "node-3  zk-2" in told
    assert "node-4  no member" in told


@pytest.mark.parametrize("state", ["placed", "hold-waits"])
def test_a_run_that_was_taken_up_claims_no_times_that_it_does_not_know(state: str) -> None:
    run = states.STATES[state]()
    nodes = tuple(
        replace(each, pods=tuple(replace(pod, evicted_at=None, gone_at=None) for pod in each.pods))
        for each in run.nodes
    )
    taken = replace(run, nodes=nodes)
    told = standing.answer(taken, of(2), NOW).sentence + said(gates.middle(taken, NOW)[1])
    assert " ago" not in told
    assert "away for" not in told
    assert "asking the server" not in told, "that is over"
    if state == "placed":
        assert "zk-2 is not back yet: Ready, looks for a leader." in told
        assert "✓ evicted   at a time not known" in told
        assert "✓ gone      at a time not known" in told


def test_a_node_that_was_skipped_is_not_counted_as_done() -> None:
    run = states.STATES["done"]()
    skipped = replace(run, nodes=(replace(run.nodes[0], step=NodeStep.SKIPPED), *run.nodes[1:]))
    told = standing.answer(skipped, HEALTHY, NOW)
    assert (told.light, told.word) == (Light.WAITING, "DONE")
    assert told.sentence == "All but node-4, which was skipped. No node is left cordoned by this run."


def test_a_pause_is_said_once() -> None:
    run = replace(states.STATES["placed"](), status=RunStatus.PAUSED, message="Paused")
    assert said(gates.middle(run, NOW)[1]).count("Paused") == 1


def test_a_quorum_that_is_not_known_is_no_figure() -> None:
    """Of voters that were not heard nobody knows whether they serve: 0/3 would be an outage."""
    run = states.STATES["gates"]()
    unknown = Quorum(Health.UNKNOWN, 3, 0, why="nothing new from zk-0, zk-2")
    assert spoken(figures.figures(run, unknown, sample(0, 1), None, NOW))[0] == "quorum ?/3 · budget allows 1"
    unread = Quorum(Health.UNKNOWN, 0, 0, why="the running configuration has not been read")
    assert spoken(figures.figures(run, unread, sample(0, 1), None, NOW))[0] == "quorum ?/? · budget allows 1"


def test_the_figures_fit_into_one_line_of_the_smallest_terminal() -> None:
    run = replace(states.STATES["placed"](), exposed_since=NOW - 754)
    felt = ProbeSummary(5760, 3, 10.12, {}, (ProbeSession("default", "zk-0", "zk-0", 9, 0, 0.1, 0, 9, 1),))
    line = " · ".join(spoken(figures.figures(run, of(2), sample(0, 0), felt, NOW, short=True)))
    assert "exposed 12:34" in line
    assert "writes lost 1" in line
    assert len(line) <= 78


def test_a_probe_that_only_reads_claims_nothing_about_writes() -> None:
    assert plain(figures.felt(ProbeSummary(500, 2, 0.7))) == "reads failed 2 · longest gap 0.7 s"


@pytest.mark.parametrize("state", ["claim", "gates", "drained", "hold", "uncordon"])
def test_unknown_is_not_safe(state: str) -> None:
    unknown = Quorum(Health.UNKNOWN, 3, 0, why="the running configuration has not been read")
    told = standing.answer(states.STATES[state](), unknown, NOW)
    assert told.light is Light.WAITING
    assert "configuration" in told.sentence


def test_the_end_names_what_is_still_cordoned() -> None:
    assert "node-3 is still cordoned" in standing.answer(states.STATES["aborted"](), HEALTHY, NOW).sentence
    assert "No node is left cordoned" in standing.answer(states.STATES["done"](), HEALTHY, NOW).sentence


@pytest.mark.parametrize("name", GateName)
def test_a_blocked_gate_comes_first_with_its_reason_its_age_and_its_key(name: GateName) -> None:
    run = states.blocked(name)
    gate = run.blocked[0]
    title, lines = gates.middle(run, NOW)
    first, *rest = said(lines).splitlines()
    assert title.startswith("Why zk-2 may not go")
    assert name.value in first
    assert gate.evidence in first
    assert gate.action is not None
    told = "\n".join(rest)
    assert "closed for 47 s" in told
    assert gate.unblock in told
    assert f"press {gates.KEYS[gate.action.kind]} " in told
    assert gate.action.text in told
    others = [other.value for other in GateName if other is not name]
    assert all(f"✓ {other} " in told for other in others)


def test_what_zktui_can_do_itself_is_offered_on_its_own_key() -> None:
    run = states.gone_for_good()
    assert "press f  taint node-3 as out of service" in said(gates.middle(run, NOW)[1])
    offer = gates.offered(run)
    assert offer is not None
    assert offer.typed == POWERED_OFF
    assert gates.offered(states.blocked(GateName.LANDING)) is None


@pytest.mark.parametrize("state", ["gates", "hold", "blocked-quorum", "paused", "placed"])
def test_the_note_stands_above_all_else(state: str) -> None:
    run = replace(states.STATES[state](), note="disk of node-3, ann")
    assert said(gates.middle(run, NOW)[1]).startswith(" note  disk of node-3, ann")
    assert "disk of node-3, ann" in said(
        summary.rows(replace(states.ended(RunStatus.FAILED), note="disk of node-3, ann"))
    )


def test_a_member_that_does_not_leave_is_told_as_such() -> None:
    title, lines = gates.middle(states.stuck(), NOW)
    assert title == "zk-2 does not leave"
    assert "is its node alive?" in said(lines)
    assert standing.answer(states.stuck(), HEALTHY, NOW).word == "BLOCKED"


def test_a_pause_that_the_run_made_says_why() -> None:
    why = "someone uncordoned node-3 while it was drained: resume to cordon it again"
    run = replace(states.STATES["paused"](), message=f"Paused: {why}")
    told = standing.answer(run, HEALTHY, NOW)
    assert told.word == "PAUSED"
    assert told.sentence.startswith("Someone uncordoned node-3")
    assert why in said(gates.middle(run, NOW)[1])


def test_what_only_keeps_the_lease_is_not_shown() -> None:
    assert journal.rows([Event(1, WALL, "renew", "renew the lease")]) == []


def test_a_waiting_gate_says_how_long_it_waits_and_what_would_open_it() -> None:
    waits = states.gate(
        GateName.BUDGET, Standing.WAITING, "zk-pdb allows 0", unblock="more of its pods become Ready", since=NOW - 12
    )
    told = said(gates.middle(states.at_the_gates(waits), NOW)[1])
    assert "zk-pdb allows 0 · waiting for 12 s" in told
    assert "What would open it: more of its pods become Ready" in told


def test_while_paused_an_uncordon_is_no_key_but_what_follows_a_resume() -> None:
    """The machine refuses it then: `u` must not be offered as if it worked."""
    held = replace(states.STATES["hold"](), status=RunStatus.PAUSED, message="Paused")
    told = said(gates.middle(held, NOW)[1])
    assert "resume, then u" in told
    assert "press u" not in told
    blocked = replace(states.blocked(GateName.LANDING), status=RunStatus.PAUSED, message="Paused")
    told = said(gates.middle(blocked, NOW)[1])
    assert "resume, then u  uncordon node-4" in told
    assert "press u" not in told


def test_a_waiting_gate_shows_how_far_it_is() -> None:
    title, lines = gates.middle(states.waiting(), NOW)
    assert title == "Before zk-2 may go · evidence 0.4 s old"
    assert "4.2 of 10 s" in said(lines)


def test_evidence_that_grew_old_says_so_at_its_gate() -> None:
    _, lines = gates.middle(states.STATES["gates"](), NOW + 5)
    assert said(lines).count("5.4 s old") == len(GateName)


def test_a_member_on_its_way_shows_its_stations() -> None:
    text = said(gates.middle(states.STATES["placed"](), NOW)[1])
    assert "evicted   8.0 s ago" in text
    assert "placed    on node-4" in text
    assert "Ready, looks for a leader" in text


def test_hold_says_who_waits_and_which_key_ends_it() -> None:
    title, lines = gates.middle(states.hold(waits=True), NOW)
    text = said(lines)
    assert title == "node-3 is yours"
    assert "press u when you are done" in text
    assert "zk-2 has nowhere else to run" in text
    assert "1 min 00 s" in text


def test_a_hold_of_seconds_counts_down() -> None:
    run = states.hold()
    run = replace(run, plan=replace(run.plan, options=Options(hold=Hold(HoldKind.SECONDS, 60.0))))
    assert "uncordoned by itself in 51 s" in said(gates.middle(run, NOW)[1])


def test_steps_show_what_is_over_what_is_under_way_and_what_is_to_come() -> None:
    text = said(steps.rows(states.STATES["gates"](), NOW))
    assert "✓ node-4" in text
    assert "▸ node-3  zk-2" in text
    assert "✓ cordon" in text
    assert "▸ drain" in text
    assert "web-0" in text
    assert "node-2  zk-1 ★" in text
    order = ["claim", "cordon", "drain", "verify", "hold", "uncordon", "rejoin"]
    assert [text.index(f" {name}") for name in order] == sorted(text.index(f" {name}") for name in order)


def test_many_other_pods_are_counted_and_members_always_shown() -> None:
    run = states.STATES["gates"]()
    node = run.nodes[1]
    many = tuple(replace(node.pods[0], pod=node.pods[0].pod._replace(name=f"web-{n}")) for n in range(40))
    run = replace(run, nodes=(run.nodes[0], replace(node, pods=(*many, node.pods[-1])), *run.nodes[2:]))
    text = said(steps.rows(run, NOW))
    assert "40 of 40 other pods settled" in text
    assert "web-7" not in text
    assert "zk-2" in text


def sample(at: float, allowed: int) -> BudgetSample:
    return BudgetSample(at, allowed, 2 + allowed, 2, 3, "default/zk-pdb")


def test_a_dip_shorter_than_a_column_is_drawn() -> None:
    samples = [sample(0, 1), sample(300.1, 0), sample(300.2, 1)]
    assert chart.levels(samples, 0, 600, 10) == [1, 1, 1, 1, 1, 0, 1, 1, 1, 1]


def test_the_chart_is_not_drawn_before_its_time() -> None:
    assert chart.levels([sample(20, 1)], 0, 30, 6) == [None, None, 1, 1]


def test_the_chart_steps_between_its_lines_and_marks_who_moved() -> None:
    samples = [sample(0, 1), sample(30, 0), sample(50, 1)]
    rows = chart.rows(samples, [(30.0, "▼")], start=0, end=59, start_wall=WALL, width=18)
    lines = [each.head.plain for each in rows]
    assert lines[:3] == ["  1 ┤─────╮    ╭─", "    │     │    │ ", "  0 ┤     ╰────╯ "]
    assert lines[3].index("▼") == lines[2].index("─")


def test_levels_of_a_large_budget_fit_into_few_lines_and_only_none_is_at_the_bottom() -> None:
    samples = [sample(0, 40), sample(20, 1), sample(40, 0)]
    rows = chart.rows(samples, [], start=0, end=59, start_wall=WALL, width=18)
    lines = [each.head.plain for each in rows][: chart.MOST_LEVELS + 1]
    assert lines[0].startswith(" 40 ┤─")
    assert lines[-1].startswith("  0 ┤")
    assert "─" in lines[-2]


async def test_the_watched_budget_wins_over_the_last_reading() -> None:
    world = World()
    world.ensemble()
    world.budget(allowed=0, current=2)
    view = world.store.view().ensembles[0]
    known = shape.figures((sample(0, 1),), view.budgets)
    assert known is not None
    assert (known.allowed, known.current) == (0, 2)
    text = said(shape.budget(states.waiting(), (sample(NOW, 1),), view.budgets, NOW, WALL, 30))
    assert "  0 allowed disruptions" in text


def test_no_budget_is_said() -> None:
    assert "No budget covers these pods" in said(shape.budget(states.waiting(), (), (), NOW, WALL, 30))


async def test_the_ensemble_shows_who_goes_who_is_silent_and_who_is_not_known() -> None:
    world = World()
    world.ensemble()
    world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER, errors={0: "timed out"})
    members = world.store.view().ensembles[0].members
    text = said(shape.ensemble(members, states.STATES["gates"](), NOW, 40))
    silent, leader, going = text.splitlines()
    assert "not serving" in silent
    assert "★ leader" in leader
    assert "going next" in going
    old = said(shape.ensemble(members, None, NOW + 60, 40))
    assert old.count("not known") == 3


async def test_long_node_names_leave_room_for_the_state() -> None:
    world = World()
    world.ensemble()
    world.nodes("ip-10-20-30-40.eu-central-1.compute.internal")
    pod = world.pod(0, "ip-10-20-30-40.eu-central-1.compute.internal")
    members = [replace(member, pod=pod) for member in world.store.view().ensembles[0].members[:1]]
    line = said(shape.ensemble(members, None, NOW, 36))
    assert len(line) <= 36
    assert line.endswith("in sync")


async def test_the_younger_of_two_answers_is_shown() -> None:
    world = World()
    world.ensemble()
    view = world.store.view().ensembles[0]
    newer = replace(view.members[0], report=replace(view.members[0].report, at=NOW + 1, mode=Mode.LOOKING))
    older = replace(view.members[1], report=replace(view.members[1].report, at=NOW - 1, mode=Mode.LOOKING))
    shown = shape.newest(view, (newer, older))
    assert [member.role for member in shown] == [Mode.LOOKING, Mode.LEADER, Mode.FOLLOWER]


async def test_answers_without_a_configuration_still_count_as_voters() -> None:
    """The engine's own readings do not always hold the configuration; quorum must not flicker with them."""
    world = World()
    world.ensemble()
    view = world.store.view().ensembles[0]
    read = [replace(m, server=None, report=replace(m.report, at=NOW + 0.5)) for m in view.members]
    judged = shape.quorum(view, shape.newest(view, read), NOW + 1)
    assert judged is not None
    assert (judged.health, judged.serving, judged.voters) == (Health.QUORUM, 3, 3)


def test_the_summary_tells_times_and_how_to_finish_by_hand() -> None:
    failed = said(summary.rows(states.ended(RunStatus.FAILED)))
    assert "zk-2 did not come back within 5 min" in failed
    assert "kubectl uncordon node-3" in failed
    assert "looks for a leader since 4 min 20 s" in failed
    done = said(summary.rows(states.ended(RunStatus.DONE)))
    assert "zk-2  node-3 → node-4  away for 15 s" in done
    assert "No node is left cordoned" in done
    assert "kubectl" not in done


@pytest.mark.parametrize(
    ("level", "light", "word"),
    [(None, Light.SAFE, "READY"), (Level.WARN, Light.WAITING, "READY"), (Level.STOP, Light.BLOCKED, "STOP")],
)
def test_a_review_in_one_word(level: Level | None, light: Light, word: str) -> None:
    told = plan.answer(states.review(level))
    assert (told.light, told.word) == (light, word)


def test_a_run_that_would_stand_before_its_first_gate_is_not_ready() -> None:
    degraded = Finding(Level.WARN, "default/zk: 2 of 3 voters serve", "the others serve", "degraded")
    told = plan.answer(replace(states.review(None), findings=(degraded,)))
    assert (told.light, told.word) == (Light.WAITING, "NOT NOW")
    assert "2 of 3 voters serve" in told.sentence


@pytest.mark.parametrize("narrow", [False, True])
def test_a_review_shows_order_reasons_findings_and_what_would_unblock(narrow: bool) -> None:
    text = said(plan.rows(states.review(Level.STOP), narrow))
    order = [text.index(f"{number}  node-{node}") for number, node in enumerate((4, 3, 1, 2), 1)]
    assert order == sorted(order)
    assert "one election instead of two" in text
    assert "--delete-emptydir-data" in text
    assert text.index("web-0 uses emptyDir") < text.index("zk-hs lists Ready pods only")
    assert "waits for uncordon" in text
    assert "node-1: anti-affinity: zk-0 is there" in text
    assert "1 evicted, 1 stay, 1 refused" in text
    told = text[text.index(" Other pods") :].splitlines()[1:4]
    assert [line.split() for line in told] == [
        ["node-3", "refused", "web-0"],
        ["evicted", "web-1"],
        ["stay", "proxy-x1"],
    ]
    assert "1 → 0" in text
    assert "ignore-daemonsets" in text


def test_a_review_counts_each_step_on_paper() -> None:
    lines = said(plan.simulated(states.steps())).splitlines()
    assert lines[0].split() == ["BUDGET", "SERVING"]
    assert [line.split()[0] for line in lines[1:]] == [str(n) for n in range(1, len(lines))]
    assert "cordon node-1 ahead" in lines[4]
    assert "evict web-1 from node-3" in lines[7]
    assert lines[7].rstrip().endswith("0: waits")
    assert lines[8].split("   ")[-1].strip() == "2, majority 2"
    assert "1 → 0" in lines[8]
    assert "zk-2 is back on node-4" in lines[9]
    assert "0 → 1" in lines[9]


def test_other_pods_are_counted_on_paper_and_those_that_wait_are_not() -> None:
    waits = PlanStep("node-3", PlanAct.EVICT, "web-9", "shop", allowed_before=0, waits=True)
    many = [PlanStep("node-3", PlanAct.EVICT, f"web-{n}", "shop") for n in range(3)]
    lines = said(plan.simulated([*many, waits, many[0]])).splitlines()[1:]
    assert len(lines) == 3
    assert "3 other pods" in lines[0]
    assert "web-9" in lines[1]
    assert "web-0" in lines[2]


def test_a_review_says_who_feels_it_and_whether_a_session_may_end() -> None:
    text = said(plan.rows(states.review(), narrow=False))
    assert "zk-2  31 connections, 6 watches, 2 ephemeral znodes" in text
    assert "zk-0  9 connections" in text
    assert "about 4.0 s; a session may time out after 6.0 s." in text
    tight = said(plan.rows(replace(states.review(), gap=6.0), narrow=False))
    assert " · A client is without its member for about 6.0 s; a session may time out after 6.0 s: one as" in tight
    silent = replace(states.member(0), connections=None, watches=None, ephemerals=None)
    base = states.review()
    short = replace(base, nodes=(replace(base.nodes[1], members=(silent,)),), gap=8.0)
    text = said(plan.rows(short, narrow=False))
    assert "zk-0  not told by this member" in text
    assert "some may end, with their ephemeral znodes" in text


def test_a_review_says_what_the_order_saves_and_what_is_cordoned_ahead() -> None:
    base = states.review()
    text = said(plan.rows(base, narrow=False))
    assert "2 evictions and 1 election less" in text
    assert "node-1 cordoned ahead, right before node-3." in text
    assert "c to leave that out" in text
    without = replace(base, options=replace(base.options, cordon_ahead=False), nodes=(base.nodes[2],))
    text = said(plan.rows(without, narrow=False))
    assert "c to cordon ahead where there is room" in text
    assert "no-cordon-ahead" in text


def test_every_option_that_was_changed_is_said() -> None:
    chosen = Options(
        force=True,
        cordon_ahead=False,
        keep_node=True,
        probe=False,
        probe_writes=True,
        spare=2,
        dwell=30.0,
        skip_wait_for_delete_timeout=60,
        pod_selector="tier=5",
    )
    text = said(plan.options(chosen))
    for words in (
        "force",
        "no-cordon-ahead",
        "keep-node",
        "no-probe",
        "probe-writes",
        "spare 2",
        "dwell 30 s",
        "skip-wait-for-delete-timeout 60 s",
        "pod-selector tier=5",
    ):
        assert words in text
    quiet = said(plan.options(Options()))
    assert not any(words in quiet for words in ("force", "probe", "spare", "dwell", "ahead", "skip"))


ELSEWHERE = {"selector": "by label, where nodes are chosen", "dry-run": "every review is one"}
"""Options of kubectl drain that have no line of their own, and where the wizard has them."""


def test_every_option_that_is_compared_with_kubectl_drain_has_a_line() -> None:
    table = (Path(__file__).parents[2] / "docs" / "drain.md").read_text().splitlines()
    named = {name for line in table if line.startswith("| ") for name in re.findall(r"`--([a-z-]+)", line)}
    assert {"pod-selector", "grace-period", "force"} <= named
    assert named - {"plan"} <= {choice.name for choice in options.CHOICES} | set(ELSEWHERE)


def test_every_option_of_a_run_has_a_line() -> None:
    names = {field.name.replace("_", "-") for field in fields(Options)}
    assert names - {"acknowledged"} == {choice.name for choice in options.CHOICES}


@pytest.mark.parametrize("choice", options.CHOICES, ids=lambda choice: choice.name)
def test_each_option_goes_through_its_values_and_says_each(choice: options.Choice) -> None:
    values = list(choice.steps(Options()))
    if choice.written is not None:
        values.append(choice.written(Options(), "tier=5"))
        assert choice.words(values[-1]) == "tier=5"
    assert Options() in values
    assert len({choice.value(each) for each in values}) == len(values) > 1
    if choice.typed is not None:
        assert choice.seconds is not None
        assert choice.seconds(choice.typed(Options(), 45)) == 45


def test_what_has_to_be_acknowledged_is_said_first() -> None:
    base = states.review(Level.INFO)
    told = plan.answer(base)
    assert (told.light, told.word) == (Light.WAITING, "READ THIS")
    assert told.sentence.startswith("No budget covers zk")
    assert "k to go on all the same" in said(plan.findings(base))
    known = replace(base, options=replace(base.options, acknowledged=frozenset({"no-budget"})))
    assert plan.answer(known).word == "READY"
    assert "acknowledged by you" in said(plan.findings(known))


def test_a_journal_line_from_outside_stays_text() -> None:
    lines = journal.rows([Event(1, WALL, "reply", "429 [/red]\x1b[2J", "node-3")])
    assert said(lines).endswith("429 [/red]␛[2J")


@pytest.mark.parametrize("step", [step for step in NodeStep if step not in (NodeStep.PENDING,)])
@pytest.mark.parametrize("pod", list(PodStep))
def test_no_state_is_without_words(step: NodeStep, pod: PodStep) -> None:
    """Whatever the engine's state machine can be in, every pane has something to say."""
    run = states.at_node_3(step, (*states.others_gone(), states.zk2(pod, evicted_at=NOW - 3)))
    title, lines = gates.middle(run, NOW)
    assert title
    assert said(lines).strip()
    assert "node-3" in said(steps.rows(run, NOW))
    assert standing.answer(run, HEALTHY, NOW).sentence
