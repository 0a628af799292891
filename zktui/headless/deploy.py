"""`zktui deploy`: the manifest with options, its diff, server-side apply, and the members watched until in quorum."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from zktui.core.discovery import recognise
from zktui.core.kube import StatefulSet
from zktui.core.ports import Answer, Refused
from zktui.core.text import count, printable
from zktui.core.zookeeper import Ensemble
from zktui.errors import EXIT_BLOCKED, EXIT_DONE, EXIT_FAILED, EXIT_FORBIDDEN, EXIT_INTERRUPTED, Blocked, UsageError
from zktui.headless.console import interrupts
from zktui.headless.output import say, say_json, warn
from zktui.headless.workload import (
    Changing,
    confirmed,
    ended,
    exit_code,
    may_change,
    named,
    pass_gate,
    ports_of,
    roll,
    rolled,
    teller,
    unread,
)
from zktui.maintenance.model import JsonValue
from zktui.session import Session
from zktui.workload.deploying import Outcome, Verdict, apply, as_json, preview
from zktui.workload.manifest import Wanted, as_yaml, manifest
from zktui.workload.partition import holding
from zktui.workload.reading import Reading, obstacles, read_steady
from zktui.workload.rolling import STATEFULSETS
from zktui.workload.watching import hindrances, is_whole, until_whole


@dataclass(frozen=True, slots=True)
class Request:
    wanted: Wanted
    """Its namespace is filled in by where the session looks."""
    diff: bool = False
    """Only show what would change."""
    force: bool = False
    """Take fields that other managers own."""
    changing: Changing = field(default_factory=Changing)

    @property
    def json(self) -> bool:
        return self.changing.output == "json"


async def deploy(session: Session, request: Request) -> int:
    """Returns the exit code: 0 in quorum, 3 not within the deadline or refused by a gate or a conflict.

    Raises ZktuiError for what can't begin.
    """
    if session.settings.all_namespaces:
        raise UsageError("An ensemble is deployed into one namespace.", "Give --namespace in place of -A.")
    if not request.diff:
        may_change(session)
    there = await _there(session, request.wanted)
    wanted = replace(request.wanted, namespace=session.place.namespace, members=members_for(request.wanted, there))
    ports = ports_of(session)
    outcomes = await preview(ports.objects, manifest(wanted), force=request.force)
    if not request.json:
        say(preview_text(outcomes, full=request.diff))
    if not all(outcome.verdict.goes for outcome in outcomes):
        return _refused(outcomes, request)
    if request.diff:
        if request.json:
            say_json(_document(wanted, outcomes, "diff"), indent=2)
        return EXIT_DONE
    rolls = any(outcome.rolls for outcome in outcomes)
    if rolls:
        before = await read_steady(await named(session, wanted.name), ports)
        await pass_gate(await obstacles(before, ports), wanted.name, request.changing.override, quiet=request.json)
    changed = sum(outcome.verdict is not Verdict.UNCHANGED for outcome in outcomes)
    if changed:
        what = f"{count(changed, 'object')} in namespace {printable(wanted.namespace)}"
        question = f"\nApply {what} of context {printable(session.place.context)}?"
        if not await confirmed(question, request.changing):
            return EXIT_FAILED
    return await _apply_all(session, request, wanted, outcomes, rolls=rolls)


async def _there(session: Session, wanted: Wanted) -> StatefulSet | None:
    """The StatefulSet of this name, if there is one. Raises ZktuiError where that can't be told."""
    found = await session.cluster.statefulset(session.place.namespace, wanted.name)
    if isinstance(found, Answer):
        if recognise(found.value) is None:
            raise Blocked(
                f"StatefulSet {printable(wanted.name)} is there, and does not run ZooKeeper. Nothing was changed.",
                "Choose another --name.",
            )
        return found.value
    if isinstance(found, Refused) and found.not_found:
        return None
    raise unread(found, f"StatefulSet {wanted.name}")


def members_for(wanted: Wanted, there: StatefulSet | None) -> int | None:
    """An ensemble that exists keeps its size: another takes a change of every member's configuration at once."""
    if there is None:
        return wanted.members
    if wanted.members not in (None, there.replicas):
        raise Blocked(
            f"{printable(wanted.name)} has {count(there.replicas, 'member')}, not {wanted.members}: deploy does not "
            "change how many vote. Nothing was changed.",
            "Leave --members out; to grow an ensemble, see ZooKeeper's guide on reconfiguration.",
        )
    return there.replicas


# -- what it would do ----------------------------------------------------------------------------------


def preview_text(outcomes: Sequence[Outcome], *, full: bool) -> str:
    """What would be made (+), changed (~), left (=), and what is not accepted (!). `full`: new objects as YAML."""
    lines: list[str] = []
    for outcome in outcomes:
        match outcome.verdict:
            case Verdict.CREATE:
                lines.append(f"+ {outcome.title}")
                if full and outcome.after is not None:
                    lines += [f"    {line}" for line in as_yaml(outcome.document).splitlines()]
            case Verdict.CONFIGURE:
                lines.append(f"~ {outcome.title}" + ("   (its members are replaced)" if outcome.rolls else ""))
                lines += [f"    {line}" for difference in outcome.differences for line in difference.lines()]
            case Verdict.UNCHANGED:
                lines.append(f"= {outcome.title}")
            case Verdict.CONFLICT:
                lines.append(f"! {outcome.title}")
                for conflict in outcome.conflicts:
                    whose = "an earlier change of zktui's own" if conflict.ours else conflict.manager
                    lines.append(f"    {conflict.field} is set otherwise by {whose}")
            case _:
                lines.append(f"! {outcome.title}: {outcome.why}")
    return "\n".join(printable(line) for line in lines)


def _refused(outcomes: Sequence[Outcome], request: Request) -> int:
    """Nothing was sent but dry runs. Conflicts are told with what would take the fields."""
    bad = [outcome for outcome in outcomes if not outcome.verdict.goes]
    if request.json:
        say_json(_document(request.wanted, outcomes, "refused"), indent=2)
    warn("Nothing was changed.")
    if any(outcome.verdict is Verdict.CONFLICT for outcome in bad):
        warn("Fields of other managers: give the options that leave them as they are, or take them with --force.")
    if all(outcome.forbidden for outcome in bad):
        return EXIT_FORBIDDEN
    return EXIT_BLOCKED


# -- doing it ------------------------------------------------------------------------------------------


async def _apply_all(
    session: Session, request: Request, wanted: Wanted, outcomes: Sequence[Outcome], *, rolls: bool
) -> int:
    ports = ports_of(session)
    if rolls:
        await _hold(session, wanted)
    done: list[Outcome] = []
    for planned in outcomes:
        outcome = await apply(ports.objects, planned.document, force=request.force)
        done.append(outcome)
        if not request.json:
            words = outcome.verdict.value if outcome.verdict.goes else f"{outcome.verdict.value}: {outcome.why}"
            say(printable(f"{outcome.title} {words}"))
        if not outcome.verdict.goes:
            if request.json:
                say_json(_document(wanted, done, "refused"), indent=2)
            warn("What stands above it was applied; zktui deploy goes on where it was stopped.")
            if rolls:
                warn(f"No member is replaced meanwhile. To let go: zktui rollout resume {printable(wanted.name)}")
            return EXIT_FORBIDDEN if outcome.forbidden else EXIT_FAILED
    ensemble = await named(session, wanted.name)
    if not rolls and _unread(done):
        warn(f"The members read the ConfigMap when they start: zktui rollout restart {printable(wanted.name)}")
    if rolls:
        end = await roll(session, ensemble, None, request.changing)
        if request.json:
            say_json({**_document(wanted, done, end.status.value), "rollout": rolled(end)}, indent=2)
        else:
            say(ended(end, wanted.name))
        return exit_code(end)
    return await _watch(session, request, ensemble, done)


def _unread(done: Sequence[Outcome]) -> bool:
    """A changed ConfigMap alone starts nobody anew."""
    return any(o.verdict is Verdict.CONFIGURE and o.document.get("kind") == "ConfigMap" for o in done)


async def _hold(session: Session, wanted: Wanted) -> None:
    """Before the template changes: the update that follows is let go member by member. Raises Blocked."""
    objects, namespace = ports_of(session).objects, session.place.namespace
    found = await objects.read(STATEFULSETS, namespace, wanted.name)
    if not isinstance(found, Answer):
        raise unread(found, f"StatefulSet {wanted.name}")
    by_hand = (await named(session, wanted.name)).statefulset.update_strategy == "OnDelete"
    if by_hand:
        return
    held = holding(found.value)
    reply = await objects.patch(STATEFULSETS, namespace, wanted.name, held)
    if not isinstance(reply, Answer):
        why = reply.message if isinstance(reply, Refused) else reply.why
        raise Blocked(f"The update could not be held: {printable(why)}. Nothing was applied.")


async def _watch(session: Session, request: Request, ensemble: Ensemble, done: Sequence[Outcome]) -> int:
    ports, stops = ports_of(session), list[signal.Signals]()
    with interrupts(stops.append):
        reading = await asyncio.ensure_future(
            until_whole(ensemble, ports, teller(request.changing.output), request.changing.timeout, lambda: bool(stops))
        )
    whole = is_whole(reading)
    why = () if whole else await hindrances(reading, ports)
    result = "done" if whole else "interrupted" if stops else "waiting"
    wanted = replace(request.wanted, namespace=ensemble.namespace)
    if request.json:
        waits: list[JsonValue] = [*why]
        say_json({**_document(wanted, done, result), **_members_of(reading), "waitsFor": waits}, indent=2)
    return _watched(reading, why, stops=bool(stops), whole=whole, request=request)


def _watched(reading: Reading, why: Sequence[str], *, stops: bool, whole: bool, request: Request) -> int:
    if whole:
        if not request.json:
            members = count(len(reading.members), "member")
            say(printable(f"{reading.ensemble.name} is in quorum: {members}, leader {reading.quorum.leader}."))
        return EXIT_DONE
    for each in why:
        warn(f"waits for {printable(each)}")
    if stops:
        warn("Left while not everything was in quorum. What was applied stays.")
        return EXIT_INTERRUPTED
    warn(f"Not in quorum after {request.changing.timeout:.0f} s. What was applied stays: look with zktui status")
    return EXIT_BLOCKED


def _members_of(reading: Reading) -> dict[str, JsonValue]:
    quorum = reading.quorum
    return {
        "members": [
            {"pod": m.pod.name, "ready": m.pod.ready, "status": m.pod.status, "role": m.role.value}
            for m in reading.members
        ],
        "quorum": {"health": quorum.health.value, "voters": quorum.voters, "serving": quorum.serving},
        "leader": quorum.leader or None,
    }


def _document(wanted: Wanted, outcomes: Sequence[Outcome], result: str) -> dict[str, JsonValue]:
    """`zktui deploy -o json`; its keys are stable."""
    return {
        "apiVersion": "zktui/v1",
        "kind": "Deploy",
        "namespace": wanted.namespace,
        "name": wanted.name,
        "result": result,
        "objects": [as_json(outcome) for outcome in outcomes],
    }
