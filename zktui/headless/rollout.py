"""`zktui rollout` and `zktui set-resources`: updates of an ensemble's pods, with quorum beside them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from zktui.core.documents import Document, mapping, text
from zktui.core.ports import Answer, Refused
from zktui.core.text import count, printable
from zktui.core.zookeeper import Ensemble, ordinal
from zktui.errors import EXIT_BLOCKED, EXIT_DONE, EXIT_FAILED, EXIT_FORBIDDEN, EXIT_INTERRUPTED, Blocked, UsageError
from zktui.headless.console import interrupts
from zktui.headless.output import say, say_json, table, warn
from zktui.headless.workload import (
    Changing,
    confirmed,
    document,
    ended,
    exit_code,
    may_change,
    pass_gate,
    ports_of,
    roll,
    rolled,
    the_ensemble,
    unread,
)
from zktui.maintenance.model import JsonValue
from zktui.session import Session
from zktui.workload.differences import differences
from zktui.workload.manifest import as_yaml
from zktui.workload.partition import holding, is_held, partition_of, replicas_of
from zktui.workload.reading import Obstacle, Reading, obstacles, read, read_steady
from zktui.workload.resources import Wish, container_of, objection, patch
from zktui.workload.revisions import Revision, chosen, history
from zktui.workload.rolling import STATEFULSETS, member_words, order, quorum_words, targets
from zktui.workload.watching import is_whole

RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The template's annotation that kubectl rollout restart sets as well."""


@dataclass(frozen=True, slots=True)
class Request:
    verb: str
    """status, history, undo, restart, pause, resume, set-resources."""
    name: str = ""
    revision: int | None = None
    """history: the one to show; undo: the one to go back to."""
    watch: bool = True
    wish: Wish = field(default_factory=Wish)
    container: str = ""
    changing: Changing = field(default_factory=Changing)

    @property
    def json(self) -> bool:
        return self.changing.output == "json"


async def rollout(session: Session, request: Request) -> int:
    """Returns the exit code: 0 done, 3 blocked, 4 not permitted. Raises ZktuiError for what can't begin."""
    ensemble = await the_ensemble(session, request.name)
    match request.verb:
        case "status":
            return await _status(session, ensemble, request)
        case "history":
            return await _history(session, ensemble, request)
        case "pause":
            return await _pause(session, ensemble, request)
        case "resume":
            return await _change(session, ensemble, request, None, "Go on with the update of", ends_update=True)
        case "undo":
            return await _undo(session, ensemble, request)
        case "restart":
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            template = {"metadata": {"annotations": {RESTARTED: stamp}}}
            change = {"spec": {"template": template}}
            return await _change(session, ensemble, request, change, "Restart every member of")
        case "set-resources":
            return await _set_resources(session, ensemble, request)
        case verb:
            raise UsageError(f"There is no rollout {printable(verb)}.", "See zktui rollout --help")


# -- looking -------------------------------------------------------------------------------------------


async def _status(session: Session, ensemble: Ensemble, request: Request) -> int:
    """Once, or until the update is over: 0 then, 3 while it is not."""
    ports, stops = ports_of(session), list[signal.Signals]()
    clock = ports.clock
    end, said = clock.now() + request.changing.timeout, ""
    with interrupts(stops.append):
        while True:
            reading = await read(ensemble, ports)
            words = status_text(reading)
            over = is_whole(reading) and not _open(reading)
            if not request.json and words != said:
                say(words if not said else "\n" + words)
                said = words
            if over or waits_for_nobody(reading) or not request.watch or stops or clock.now() > end:
                break
            await clock.sleep(1.0)
    if request.json:
        say_json(document("Rollout", ensemble, **_reading_json(reading)), indent=2)
    return EXIT_DONE if over else EXIT_INTERRUPTED if stops else EXIT_BLOCKED


def waits_for_nobody(reading: Reading) -> bool:
    """All are well, and whoever is left is not replaced by itself: held by the partition, or OnDelete."""
    sts = reading.statefulset
    start = min((ordinal(m.pod.name) for m in reading.members), default=0)
    kept = sts.update_strategy == "OnDelete" or not targets(reading, start + sts.partition)
    return is_whole(reading) and kept and sts.observed_generation >= sts.generation


def _open(reading: Reading) -> bool:
    return reading.statefulset.is_updating or any(reading.old(m) for m in reading.members)


def status_text(reading: Reading) -> str:
    """Where the update stands, member by member, and quorum beside it."""
    sts = reading.statefulset
    updated = sum(not reading.old(m) for m in reading.members)
    head = (
        f"{reading.ensemble.namespace}/{reading.ensemble.name}   {updated} of {sts.replicas} on {sts.update_revision}"
    )
    if sts.partition:
        head += f", held below ordinal {sts.partition}"
    lines = [printable(head), printable(quorum_words(reading))]
    lines += [printable(f"  {m.pod.name}  {member_words(reading, m)}") for m in reading.members]
    left = targets(reading, 0)
    if left:
        lines.append(printable(order(reading, left, by_hand=sts.update_strategy == "OnDelete")[1]))
    elif is_whole(reading):
        lines.append(f"The update is complete: {count(len(reading.members), 'member')} on {sts.update_revision}.")
    return "\n".join(lines)


def _reading_json(reading: Reading) -> dict[str, JsonValue]:
    sts, quorum = reading.statefulset, reading.quorum
    return {
        "strategy": sts.update_strategy,
        "partition": sts.partition,
        "updateRevision": sts.update_revision,
        "complete": is_whole(reading) and not _open(reading),
        "quorum": {"health": quorum.health.value, "voters": quorum.voters, "serving": quorum.serving},
        "leader": quorum.leader or None,
        "members": [
            {
                "pod": m.pod.name,
                "revision": m.pod.revision,
                "updated": not reading.old(m),
                "ready": m.pod.ready,
                "role": m.role.value,
            }
            for m in reading.members
        ],
    }


async def _history(session: Session, ensemble: Ensemble, request: Request) -> int:
    found = await _revisions(session, ensemble)
    reading = await read(ensemble, ports_of(session))
    if request.revision is not None:
        one = chosen(found, request.revision)
        if isinstance(one, Refused):
            raise Blocked(f"{one.message}.", f"See zktui rollout history {ensemble.name}")
        found = (one,)
    if request.json:
        revisions: list[JsonValue] = [_revision_json(r, reading) for r in found]
        say_json(document("RolloutHistory", ensemble, revisions=revisions), indent=2)
    elif request.revision is not None:
        say("\n".join(printable(line) for line in [*_changes(found[0]), *as_yaml(found[0].template).splitlines()]))
    else:
        say(history_text(found, reading))
    return EXIT_DONE


def history_text(revisions: Sequence[Revision], reading: Reading) -> str:
    """The revisions, newest last, with what changed from each to the next beneath it."""
    if not revisions:
        return "There is no revision."
    head = ("REVISION", "NAME", "CREATED", "MEMBERS", "CHANGE-CAUSE")
    rows = [
        (
            str(one.number),
            one.name,
            one.created,
            ", ".join(m.pod.name for m in reading.members if m.pod.revision == one.name) or "-",
            one.cause or "<none>",
        )
        for one in revisions
    ]
    first, *lines = table(head, rows, frozenset({0})).splitlines()
    told = zip(lines, revisions, strict=True)
    return "\n".join([first, *(part for line, one in told for part in (line, *_indented(_changes(one))))])


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {printable(line)}" for line in lines)


def _changes(one: Revision) -> list[str]:
    return [line for difference in one.changes for line in difference.lines()]


def _revision_json(one: Revision, reading: Reading) -> dict[str, JsonValue]:
    return {
        "revision": one.number,
        "name": one.name,
        "created": one.created,
        "changeCause": one.cause or None,
        "members": [m.pod.name for m in reading.members if m.pod.revision == one.name],
        "changes": [{"path": d.path, "before": d.before, "after": d.after} for d in one.changes],
    }


async def _revisions(session: Session, ensemble: Ensemble) -> tuple[Revision, ...]:
    found = await history(ports_of(session).objects, ensemble.statefulset)
    if not isinstance(found, Answer):
        raise unread(found, "the revisions")
    return found.value


# -- changing ------------------------------------------------------------------------------------------


async def _undo(session: Session, ensemble: Ensemble, request: Request) -> int:
    revisions = await _revisions(session, ensemble)
    one = chosen(revisions, request.revision)
    if isinstance(one, Refused):
        raise Blocked(f"{one.message}. Nothing was changed.", f"See zktui rollout history {ensemble.name}")
    if one is revisions[-1]:
        say(f"The template is that of revision {one.number} already: nothing was changed.")
        return EXIT_DONE
    if not request.json:
        say(f"Back to revision {one.number} ({printable(one.name)}):")
        for difference in differences(revisions[-1].template, one.template):
            say("\n".join(f"    {printable(line)}" for line in difference.lines()))
    what = f"Undo the update to revision {revisions[-1].number} of"
    return await _change(session, ensemble, request, one.data, what, ends_update=True)


async def _set_resources(session: Session, ensemble: Ensemble, request: Request) -> int:
    if not request.wish:
        raise UsageError("Nothing was asked for.", "Give --requests or --limits, such as: --requests cpu=300m")
    found = await _document(session, ensemble)
    name = request.container or ensemble.container
    container = container_of(found, name)
    if container is None:
        raise UsageError(f"There is no container {printable(name)}.", "Nothing was changed.")
    why = objection(container, request.wish)
    if why:
        raise Blocked(f"{printable(why)}. Nothing was changed.", "Choose amounts that fit each other and the heap.")
    change = patch(name, request.wish)
    asked = mapping(change, "spec", "template", "spec", "containers", 0, "resources")
    present = mapping(container, "resources")
    news = {kind: mapping(asked, kind) for kind in asked}
    if all(mapping(present, kind).get(key) == value for kind, part in news.items() for key, value in part.items()):
        say("The members have these resources already: nothing was changed.")
        return EXIT_DONE
    if not request.json:
        for kind, part in news.items():
            for key, value in part.items():
                say(printable(f"{kind} {key}: {text(present, kind, key) or 'not set'} -> {value}"))
    return await _change(session, ensemble, request, change, "Set this for every member of")


async def _document(session: Session, ensemble: Ensemble) -> Document:
    found = await ports_of(session).objects.read(STATEFULSETS, ensemble.namespace, ensemble.name)
    if not isinstance(found, Answer):
        raise unread(found, f"StatefulSet {ensemble.name}")
    return found.value


async def _change(
    session: Session,
    ensemble: Ensemble,
    request: Request,
    change: Document | None,
    what: str,
    *,
    ends_update: bool = False,
) -> int:
    """Gate, question, and the rolling update itself."""
    may_change(session)
    ports = ports_of(session)
    reading = await read_steady(ensemble, ports)
    held = is_held(await _document(session, ensemble))
    if change is None and not _open(reading) and not held:
        say("No update is open: nothing was changed.")
        return EXIT_DONE
    found = await obstacles(reading, ports, update_may_be_open=ends_update)
    if held and not ends_update and not _open(reading):
        found = (*found, Obstacle("held", "its updates are held: zktui rollout resume lets them go"))
    await pass_gate(found, ensemble.name, request.changing.override, quiet=request.json)
    if not request.json:
        say(printable(_plan(reading)))
    if not await confirmed(f"{what} {printable(ensemble.namespace)}/{printable(ensemble.name)}?", request.changing):
        return EXIT_FAILED
    end = await roll(session, ensemble, change, request.changing)
    if request.json:
        say_json(document("Rollout", ensemble, **rolled(end)), indent=2)
    else:
        say(ended(end, ensemble.name))
    return exit_code(end)


def _plan(reading: Reading) -> str:
    """How the members will go, if all of them do."""
    by_hand = reading.statefulset.update_strategy == "OnDelete"
    members = tuple(reversed(reading.members))
    return f"{order(reading, members, by_hand=by_hand)[1]} {quorum_words(reading)}."


async def _pause(session: Session, ensemble: Ensemble, request: Request) -> int:
    """Hold the update where it is: no gate, since it only keeps members from being stopped."""
    may_change(session)
    found = await _document(session, ensemble)
    if ensemble.statefulset.update_strategy == "OnDelete":
        say("OnDelete: nothing is replaced by itself. Nothing was changed.")
        return EXIT_DONE
    replicas = replicas_of(found)
    if partition_of(found) >= replicas:
        say(f"It is held already, at partition {partition_of(found)}: nothing was changed.")
        return EXIT_DONE
    body = holding(found)
    reply = await asyncio.shield(ports_of(session).objects.patch(STATEFULSETS, ensemble.namespace, ensemble.name, body))
    if not isinstance(reply, Answer):
        warn(
            printable(reply.message if isinstance(reply, Refused) else f"Whether it is held is not known: {reply.why}")
        )
        return EXIT_FORBIDDEN if isinstance(reply, Refused) and reply.forbidden else EXIT_FAILED
    if request.json:
        say_json(document("Rollout", ensemble, status="held", partition=replicas), indent=2)
    else:
        say(f"{printable(ensemble.name)} is held at partition {replicas}: no member is replaced by an update.")
        say(f"To go on: zktui rollout resume {printable(ensemble.name)}")
    return EXIT_DONE
