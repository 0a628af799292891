"""Rolling updates from the screen: the verbs of `zktui rollout` and `zktui set-resources`, with the same gates."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from zktui.core.documents import Document, mapping, text
from zktui.core.ports import Answer, Refused, Reply
from zktui.core.text import count
from zktui.core.zookeeper import Ensemble
from zktui.session import Session
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row
from zktui.ui.works import Ending, Prepared, Tell
from zktui.workload.differences import differences
from zktui.workload.partition import holding, is_held, partition_of, replicas_of
from zktui.workload.reading import Ports, Reading, obstacles, read_steady
from zktui.workload.resources import Wish, container_of, objection, patch
from zktui.workload.revisions import Revision, chosen, history
from zktui.workload.rolling import STATEFULSETS, Rolling, Status, member_words, order, quorum_words

RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The template's annotation that kubectl rollout restart sets as well."""
BLANK = row()


class Verb(enum.StrEnum):
    SHOW = "show"
    RESTART = "restart"
    UNDO = "undo"
    RESUME = "resume"
    HOLD = "hold"
    RESOURCES = "set resources"


TITLES = {
    Verb.SHOW: "Updates and their history",
    Verb.RESTART: "Restart every member",
    Verb.UNDO: "Undo the last update",
    Verb.RESUME: "Resume an update",
    Verb.HOLD: "Pause an update",
    Verb.RESOURCES: "Change CPU or memory",
}
COMMANDS = {
    Verb.SHOW: "zktui rollout status, zktui rollout history",
    Verb.RESTART: "zktui rollout restart",
    Verb.UNDO: "zktui rollout undo",
    Verb.RESUME: "zktui rollout resume",
    Verb.HOLD: "zktui rollout pause",
    Verb.RESOURCES: "zktui set-resources",
}
"""The same without a screen."""


class Rollout:
    """One verb for one ensemble."""

    def __init__(self, session: Session, ensemble: Ensemble, verb: Verb, wish: Wish | None = None) -> None:
        """`wish` is for RESOURCES."""
        assert session.objects is not None, "a session without an API server changes no workload"
        self._ports = Ports(session.cluster, session.members, session.objects, session.clock)
        self._read_only = session.settings.read_only
        self._ensemble = ensemble
        self._wish = wish or Wish()
        self._change: Document | None = None
        self._rolling: Rolling | None = None
        self._verb = verb
        self.title = f"{TITLES[verb]}, {ensemble.name}" if verb is Verb.SHOW else f"{TITLES[verb]} of {ensemble.name}"
        self.verb = verb.value
        self.stoppable = verb is not Verb.HOLD

    # -- before the question

    async def prepare(self) -> Prepared:
        ensemble, objects = self._ensemble, self._ports.objects
        reading, found, past = await asyncio.gather(
            read_steady(ensemble, self._ports),
            objects.read(STATEFULSETS, ensemble.namespace, ensemble.name),
            history(objects, ensemble.statefulset),
        )
        revisions = past.value if isinstance(past, Answer) else ()
        rows = [*_state(reading), BLANK, *_history(past, reading)]
        if self._verb is Verb.SHOW:
            return Prepared(tuple(rows), may_begin=False, only_told=True)
        if not isinstance(found, Answer):
            return Prepared(tuple(rows), (f"StatefulSet {ensemble.name}: {_why(found)}",), may_begin=False)
        told, nothing = self._would(found.value, revisions, reading)
        rows += [BLANK, _title("What would be done"), *told]
        if nothing or self._read_only:
            return Prepared(tuple(rows), (nothing or "zktui is read-only here",), may_begin=False)
        stands = () if self._verb is Verb.HOLD else await self._stands(reading, found.value)
        return Prepared(tuple(rows), stands, ensemble.name if stands else "")

    def _would(self, document: Document, revisions: Sequence[Revision], reading: Reading) -> tuple[list[Row], str]:
        """What would be changed, and why nothing can be; settles what is sent."""
        by_hand = reading.statefulset.update_strategy == "OnDelete"
        goes = _line(f"{order(reading, tuple(reversed(reading.members)), by_hand=by_hand)[1]}")
        updating = reading.statefulset.is_updating or any(reading.old(m) for m in reading.members)
        match self._verb:
            case Verb.RESTART:
                stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                annotations = {"annotations": {RESTARTED: stamp}}
                self._change = {"spec": {"template": {"metadata": annotations}}}
                return [_line("Each member is replaced by one of the same template, one after another."), goes], ""
            case Verb.RESUME:
                nothing = "" if updating or is_held(document) else "no update is open"
                return [_line("The members that still have the old template go, one after another."), goes], nothing
            case Verb.UNDO:
                one = chosen(revisions, None)
                if isinstance(one, Refused):
                    return [], one.message
                self._change = one.data
                lines = [line for d in differences(revisions[-1].template, one.template) for line in d.lines()]
                return [_line(f"Back to revision {one.number} ({one.name}):"), *map(_line, lines), goes], ""
            case Verb.HOLD:
                held = partition_of(document) >= replicas_of(document)
                nothing = "nothing is replaced by itself under OnDelete" if by_hand else "it is held already"
                self._change = holding(document)
                return [
                    _line("No member is replaced by an update until it goes on.")
                ], nothing if by_hand or held else ""
            case Verb.RESOURCES:
                return self._resources(document, goes)
            case Verb.SHOW:
                return [], "it is only told"

    def _resources(self, document: Document, goes: Row) -> tuple[list[Row], str]:
        name = self._ensemble.container
        container = container_of(document, name)
        if container is None:
            return [], f"there is no container {name}"
        self._change = patch(name, self._wish)
        present = mapping(container, "resources")
        told: list[Row] = []
        same = True
        for kind, wanted in (("requests", self._wish.requests), ("limits", self._wish.limits)):
            for key, value in wanted.items():
                told.append(_line(f"{kind} {key}: {text(present, kind, key) or 'not set'} -> {value}"))
                same = same and mapping(present, kind).get(key) == value
        return [*told, goes], objection(container, self._wish) or ("they have that already" if same else "")

    async def _stands(self, reading: Reading, document: Document) -> tuple[str, ...]:
        ends_update = self._verb in (Verb.UNDO, Verb.RESUME)
        found = [o.text for o in await obstacles(reading, self._ports, update_may_be_open=ends_update)]
        if is_held(document) and not ends_update and not found:
            found.append("its updates are held: go on with them, or undo them, first")
        return tuple(found)

    # -- after it

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        # The question has asked for the word; no other way leads here.
        del typed
        if self._verb is Verb.HOLD:
            return await self._hold()
        rolling = Rolling(self._ensemble, self._ports, lambda told: tell(told.wall, told.text))
        self._rolling = rolling
        end = await rolling.run(self._change)
        figures = f"{end.seconds:.0f} s, {count(end.elections, 'election')}"
        if end.lowest is not None:
            figures += f", {count(end.lowest, 'voter')} serving at worst"
        if end.status is Status.DONE:
            return Ending(True, f"{end.message} {figures}.")
        left = (
            f" On the old template still: {', '.join(end.left)}. It is held: no other is touched." if end.left else ""
        )
        return Ending(False, f"{end.status.value}: {end.message}. {figures}.{left}")

    async def _hold(self) -> Ending:
        ensemble = self._ensemble
        reply = await self._ports.objects.patch(STATEFULSETS, ensemble.namespace, ensemble.name, self._change or {})
        if isinstance(reply, Answer):
            return Ending(True, f"{ensemble.name} is held: no member is replaced by an update.")
        return Ending(False, f"Whether it is held: {_why(reply)}.")

    def stop(self) -> None:
        if self._rolling is not None:
            self._rolling.stop()


def _state(reading: Reading) -> list[Row]:
    sts = reading.statefulset
    updated = sum(not reading.old(m) for m in reading.members)
    held = f", held below ordinal {sts.partition}" if sts.partition else ""
    head = f"{updated} of {sts.replicas} on {sts.update_revision}{held}; {sts.update_strategy}; {quorum_words(reading)}"
    lines = [_title("Now"), _line(reading.why, Tone.BLOCKED) if reading.why else _line(head)]
    for member in reading.members:
        tone = Tone.SAFE if reading.well(member) else Tone.WAITING
        name = Piece(f"   {member.pod.name}  ", Tone.STRONG)
        lines.append(row([name], [Piece(member_words(reading, member), tone)]))
    return lines


def _history(past: Reply[tuple[Revision, ...]], reading: Reading) -> list[Row]:
    """The newest first, with what each changed."""
    if not isinstance(past, Answer):
        return [_title("History"), _line(f"the revisions: {_why(past)}", Tone.WAITING)]
    lines = [_title("History")]
    for one in reversed(past.value):
        members = ", ".join(m.pod.name for m in reading.members if m.pod.revision == one.name)
        cause = f"  {one.cause}" if one.cause else ""
        lines.append(_line(f"{one.number}  {one.name}  {one.created}  {members or 'no member'}{cause}"))
        changes: Iterable[str] = (line for difference in one.changes for line in difference.lines())
        lines += [row("      ", [Piece(line, Tone.DIM)]) for line in changes]
    return lines


def _title(words: str) -> Row:
    return row([Piece(f" {words}", Tone.STRONG)])


def _line(words: str, tone: Tone = Tone.PLAIN) -> Row:
    return row("   ", [Piece(words, tone)])


def _why(reply: object) -> str:
    return reply.message if isinstance(reply, Refused) else str(getattr(reply, "why", "no answer"))
