"""Judging runs from outside, on an embedded cluster: by what its API server was asked, and by the members' `srvr`.

Nothing here asks the program: its journals are read from disk, its lease and the nodes from the cluster's store.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from zktui.demo.cluster import DemoCluster
from zktui.demo.errors import ApiError
from zktui.demo.requests import RequestInfo

POLL = 0.2
"""Seconds between two questions to one member."""
ASKING = 1.0
"""Seconds that a member has for its answer."""
EVIDENCE = 2.0
"""Seconds for which the program may rely on an answer."""
SLACK = 1.5
"""Seconds that our own last question to a member may have come earlier than the program's, on a busy machine."""
LEASES, NODES, EVICTIONS = "leases", "nodes", "pods/eviction"
LEASE = ("leases.coordination.k8s.io", "default", "zktui-maintenance")
MAJORITY = 2
"""Of the three voters."""


class Servers:
    """Asks every member `srvr`, five times a second, over connections of its own."""

    def __init__(self, cluster: DemoCluster) -> None:
        self._cluster = cluster
        self.served: dict[str, tuple[str, float]] = {}
        """Pod UID to its name, and when it was asked when it last said that it leads or follows."""
        self.leader = ""
        """UID of the pod that said last that it leads."""
        self._asked: dict[str, asyncio.Task[bool]] = {}

    async def watch(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                for uid, name in self._running():
                    if uid not in self._asked or self._asked[uid].done():
                        self._asked[uid] = asyncio.create_task(self._ask(uid, name))
                await asyncio.sleep(POLL)
        finally:
            for task in self._asked.values():
                task.cancel()
            await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _running(self) -> Iterator[tuple[str, str]]:
        for pod in self.pods():
            if pod["status"].get("phase") == "Running":
                yield pod["metadata"]["uid"], pod["metadata"]["name"]

    def pods(self) -> list[Any]:
        """The members' pods, of those that terminate too."""
        return self._cluster.store.list("pods", "default", "app=zk")[0]

    async def _ask(self, uid: str, name: str) -> bool:
        """Whether it leads or follows now."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(ASKING):
                reader, writer = await self._cluster.kubelet.dial("default", name, 2181)
                try:
                    writer.write(b"srvr")
                    told = (await reader.read()).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError, ApiError):
            return False
        if "Mode: leader" in told:
            self.leader = uid
        elif "Mode: follower" not in told:
            return False
        self.served[uid] = (name, asked)
        return True

    def serving(self, since: float) -> set[str]:
        """Names of the members that served at this monotonic time or after it."""
        return {name for name, at in self.served.values() if at >= since}

    async def serves_now(self, name: str) -> bool:
        """Asked once more."""
        uids = [pod["metadata"]["uid"] for pod in self.pods() if pod["metadata"]["name"] == name]
        return bool(uids) and await self._ask(uids[0], name)


@dataclass
class Heard:
    """A change that somebody asked the API server for."""

    verb: str
    target: str
    name: str
    body: Any

    @property
    def whom(self) -> str:
        """What the journal and the lease call it: a pod's UID, or a node's name."""
        if self.target == EVICTIONS:
            return self.body.get("deleteOptions", {}).get("preconditions", {}).get("uid", "")
        return self.name

    @property
    def flag(self) -> bool | None:
        """What becomes of the node: True for a cordon; None when that is not asked for."""
        spec: dict[str, Any] = self.body.get("spec") or {}
        return bool(spec["unschedulable"]) if self.target == NODES and "unschedulable" in spec else None


@dataclass
class Journal:
    """One part of a run's journal as it is on disk now."""

    name: str
    """RUN, or RUN.2 once it was taken up: what the lease's holder has in brackets."""
    lines: list[dict[str, Any]]
    written: float
    """Monotonic seconds at which its last line was written, by the file's own time: no clock of the program's."""

    @property
    def run(self) -> str:
        return self.name.split(".")[0]

    def announces(self, heard: Heard) -> bool:
        """Whether its newest lines say that this is about to be sent, and none says what came of it."""
        for line in reversed(self.lines):
            data: dict[str, Any] = line.get("data", {})
            if heard.target == LEASES and "resourceVersion" in data:
                spec, version = heard.body["spec"], heard.body["metadata"].get("resourceVersion", "")
                return (data["holder"], data["resourceVersion"]) == (spec.get("holderIdentity") or "", version)
            if heard.target == LEASES or ("node" not in data and line["kind"] not in ("evict", "reply")):
                continue
            if line["kind"] == "evict":
                return heard.target == EVICTIONS and line["uid"] == heard.whom
            if heard.flag is not None:
                kind = "cordon" if heard.flag else "uncordon"
                return line["kind"] == kind and data.get("node") == heard.whom
            return heard.target == NODES and data.get("node") == heard.whom
        return False

    def mentions(self, heard: Heard) -> bool:
        """Whether it told of this pod before it announced the eviction."""
        earlier = [line for line in self.lines if line["kind"] != "evict"]
        return any(line.get("uid") == heard.whom or heard.name in line["text"] for line in earlier)


def journals(folders: Iterable[Path], since: float = 0.0) -> Iterator[Journal]:
    """What these state folders have and was written at this time of the machine's clock or later."""
    for folder in folders:
        for path in sorted((folder / "runs").glob("*.jsonl")):
            changed = path.stat().st_mtime
            if not path.name.endswith(".report.jsonl") and changed >= since:
                lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
                yield Journal(path.name.removesuffix(".jsonl"), lines, time.monotonic() - (time.time() - changed))


@dataclass
class Audit:
    """Hears every change as it reaches the API server, before it is carried out, and holds it against the promises.

    What is broken is kept in `broken`: an exception here would only be one more refusal to the program.
    """

    cluster: DemoCluster
    servers: Servers
    folders: list[Path]
    """State folders of the machines that the program runs on."""
    since: float = 0.0
    """Journals that were last written before are of earlier schedules."""
    broken: list[str] = field(default_factory=list[str])
    asked: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Run to the nodes that somebody asked it to take down."""
    planned: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Run to the UIDs of the pods that were on these nodes when it began."""
    expected: frozenset[str] = frozenset()
    """What a run takes that begins in another process: its id is known by its journal."""
    granted: set[str] = field(default_factory=set[str])
    """UIDs whose eviction was answered with 201, and the answer was heard."""
    evicted: list[str] = field(default_factory=list[str])
    """Names of the pods whose eviction was carried out."""
    cordoned: dict[str, str] = field(default_factory=dict[str, str])
    """Node to the run whose cordon it has."""
    doubtful: set[str] = field(default_factory=set[str])
    """UIDs whose eviction was sent and its answer lost, and no pod was read since."""
    excused: set[str] = field(default_factory=set[str])
    """Pods for which somebody typed the word that opens the gate of the quorum."""
    _arrived: dict[int, tuple[Heard, str]] = field(default_factory=dict[int, tuple[Heard, str]])
    """Requests under way, with their run."""
    _pending: list[Heard] = field(default_factory=list[Heard])
    """What somebody still waits for the answer to."""

    def begin(self) -> None:
        """A new schedule."""
        self.since = time.time()
        for told in (self.broken, self.evicted, self._pending):
            told.clear()
        for known in (
            self.asked,
            self.planned,
            self.granted,
            self.doubtful,
            self.cordoned,
            self.excused,
            self._arrived,
        ):
            known.clear()
        self.expected = frozenset()

    def takes(self, run: str, nodes: Iterable[str]) -> None:
        """A run is about to begin with these nodes."""
        self.asked[run] = set(nodes)
        self.planned[run] = {p["metadata"]["uid"] for p in self.servers.pods() if p["spec"].get("nodeName") in nodes}

    # -- what the API server hears ----------------------------------------------------------------------------------

    async def arrives(self, info: RequestInfo, request: web.Request) -> None:
        if info.verb in ("get", "list") and info.target == "pods":
            self.doubtful.clear()
        heard = await _change(info, request)
        if heard is None:
            return
        journal = next((j for j in journals(self.folders, self.since) if j.announces(heard)), None)
        if journal is not None and self.expected and not self.asked:
            self.takes(journal.run, self.expected)
        self._arrived[id(request)] = (heard, journal.run if journal is not None else "")
        if journal is None:
            self._break(heard, "is in no journal")
        elif heard.target != LEASES:
            self._alone(heard, journal)
            self._pending.append(heard)
            if heard.target == EVICTIONS:
                await self._may_go(heard, journal)

    def answered(self, request: web.Request, code: int, *, told: bool) -> None:
        """It was carried out or refused; `told` is whether the asker hears of it."""
        heard, run = self._arrived.pop(id(request), (None, ""))
        if heard is None:
            return
        self.given_up(heard)
        if heard.target == EVICTIONS and not told:
            self.doubtful.add(heard.whom)
        if code >= 300:
            return
        if heard.target == EVICTIONS:
            self.evicted.append(heard.name)
            if told:
                self.granted.add(heard.whom)
        elif heard.flag:
            self.cordoned[heard.name] = run
        elif heard.flag is False:
            self.cordoned.pop(heard.name, None)

    def given_up(self, which: Heard | web.Request) -> None:
        """Nobody waits for the answer any more, though it may still be carried out."""
        heard = self._arrived.get(id(which), (None, ""))[0] if isinstance(which, web.Request) else which
        self._pending = [each for each in self._pending if each is not heard]

    # -- the promises -----------------------------------------------------------------------------------------------

    def _alone(self, heard: Heard, journal: Journal) -> None:
        """One change at a time, by who holds the lease, which says what it is."""
        if self._pending:
            self._break(heard, f"while {self._pending[0].target} {self._pending[0].name} is under way")
        lease = self.cluster.store.find(*LEASE)
        holder = (lease["spec"].get("holderIdentity") or "") if lease is not None else ""
        if lease is None or f"({journal.name})" not in holder:
            self._break(heard, f"of {journal.name}, and the lease is {holder or 'nobody'}'s")
        elif heard.target == EVICTIONS or heard.flag is not None:
            doing = json.loads(lease["metadata"]["annotations"]["zktui/state"]).get("doing")
            if doing is None or doing[1] != heard.whom:
                self._break(heard, f"and its lease says {doing}")
        if heard.flag and heard.name not in self.asked.get(journal.run, ()):
            self._break(heard, "which nobody asked for")

    async def _may_go(self, heard: Heard, journal: Journal) -> None:
        if not heard.whom:
            self._break(heard, "names no UID")
        if heard.whom in self.granted:
            self._break(heard, "again after 201")
        if heard.whom in self.doubtful:
            self._break(heard, "again, and nothing was read since the answer was lost")
        if heard.whom not in self.planned.get(journal.run, ()) and not journal.mentions(heard):
            self._break(heard, "was neither planned nor told before")
        pod = self.cluster.store.find("pods", "default", heard.name)
        if pod is None or pod["metadata"]["uid"] != heard.whom:
            return  # it has gone meanwhile: the server refuses this
        where = pod["spec"]["nodeName"]
        if where not in self.asked.get(journal.run, ()):
            self._break(heard, f"is on {where}, which nobody asked for")
        others = {p["metadata"]["name"] for p in self.servers.pods()} - {heard.name}
        since = journal.written - EVIDENCE - SLACK
        missing = others - self.servers.serving(since)
        still = [name for name in missing if not await self.servers.serves_now(name)]
        if len(others) - len(still) < MAJORITY and heard.name not in self.excused:
            self._break(heard, f"goes, and of {sorted(others)} do not serve: {still}")

    def _break(self, heard: Heard, what: str) -> None:
        self.broken.append(f"{heard.verb} {heard.target} {heard.name} {what}")


async def _change(info: RequestInfo, request: web.Request) -> Heard | None:
    """The change that is asked for, if it is one that a run announces."""
    if info.verb not in ("create", "update", "patch") or info.target not in (EVICTIONS, NODES, LEASES):
        return None
    if info.namespace not in ("", "default"):
        return None
    return Heard(info.verb, info.target, info.name, json.loads(await request.read() or b"{}"))
