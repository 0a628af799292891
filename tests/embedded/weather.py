"""Trouble for an embedded cluster: at its API server, in its members' processes, and by other people."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from tests.embedded.audit import EVICTIONS, LEASE, LEASES, NODES, POLL, Audit
from zktui.demo.cluster import DemoCluster
from zktui.demo.errors import ApiError
from zktui.demo.objects import Object
from zktui.demo.requests import RequestInfo

READS = frozenset({"get", "list"})
CLOSED = {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget zk-pdb is still processed"}]}
REFUSALS: dict[str, ApiError] = {
    "500": ApiError(500, "InternalError", "etcdserver: leader changed"),
    "503": ApiError(503, "ServiceUnavailable", "apiserver is shutting down"),
    "throttled": ApiError(429, "TooManyRequests", "too many requests"),
    "throttled, with a hint": ApiError(429, "TooManyRequests", "too many requests", {"retryAfterSeconds": 1}),
    "conflict": ApiError(409, "Conflict", "the object has been modified"),
    "budget": ApiError(429, "TooManyRequests", "Cannot evict pod", {**CLOSED, "retryAfterSeconds": 1}),
    "webhook": ApiError(403, "Forbidden", 'admission webhook "keeper.example" denied the request: not now'),
    "two budgets": ApiError(500, "", "This pod has more than one PodDisruptionBudget, which is not supported."),
    "forbidden": ApiError(403, "Forbidden", "pods is forbidden: User cannot create resource"),
    "unauthorized": ApiError(401, "Unauthorized", "Unauthorized"),
}
LOSSES = ("lost", "reply lost", "late", "gateway", "slow")
"""Never carried out; carried out, and nobody hears of it; carried out when nobody waits any more; carried out, and a
gateway gave up before; carried out after a while."""
ANY_CHANGE = ("500", "503", "throttled", "conflict", *LOSSES)
"""What becomes of any change, and the run goes on."""
OF_EVICTIONS = (*REFUSALS, *LOSSES, "reborn")
"""What becomes of an eviction. `reborn`: just before it is carried out, the pod is made again under its name."""
REBORN = 20.0
"""Seconds in which a deleted member's pod is there again."""


@dataclass
class Weather:
    """What becomes of this schedule's requests, one after another, and what happens to the cluster itself."""

    rng: random.Random
    cluster: DemoCluster
    audit: Audit
    note: Callable[[str], None]
    script: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    """EVICTIONS, NODES or LEASES to what becomes of the next ones; once it is empty, they are carried out."""
    unread: float = 0.0
    """How often a question is refused."""
    on: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict[tuple[str, int], Callable[[], None]])
    """What happens when the n-th change of this kind arrives."""
    seen: Counter[str] = field(default_factory=Counter[str])
    """What has really happened."""
    _count: Counter[str] = field(default_factory=Counter[str])
    _fate: dict[int, str] = field(default_factory=dict[int, str])
    _stopped: dict[int, asyncio.TimerHandle | None] = field(default_factory=dict[int, asyncio.TimerHandle | None])
    """Processes that are stopped now, each with when it goes on, if it does by itself."""

    # -- at the API server ------------------------------------------------------------------------------------------

    async def arriving(self, info: RequestInfo, request: web.Request) -> None:
        """Before it is carried out."""
        if info.verb in READS and not info.subresource and self.rng.random() < self.unread:
            raise REFUSALS[self.rng.choice(("500", "503", "throttled"))]
        if info.verb not in ("create", "update", "patch") or info.target not in (EVICTIONS, NODES, LEASES):
            return
        self._count[info.target] += 1
        happening = self.on.pop((info.target, self._count[info.target]), None)
        if happening is not None:
            happening()
        fate = self.script[info.target].pop(0) if self.script[info.target] else ""
        if fate:
            self.note(f"{info.target} {info.name}: {fate}")
            self.seen[f"{info.target}: {fate}"] += 1
            await self._befalls(fate, info, request)

    async def _befalls(self, fate: str, info: RequestInfo, request: web.Request) -> None:
        if fate in REFUSALS:
            self.audit.answered(request, REFUSALS[fate].code, told=True)
            raise REFUSALS[fate]
        if fate in ("lost", "late"):
            _cut(request)
            self.audit.given_up(request)
        if fate == "lost":
            self.audit.answered(request, 500, told=False)
            raise ApiError(500, "InternalError", "nobody hears this")
        if fate in ("late", "slow"):
            await asyncio.sleep(self.rng.uniform(0.5, 2))
        if fate == "reborn":
            await self._reborn(info.name)
        self._fate[id(request)] = fate

    async def _reborn(self, name: str) -> None:
        uid = self._uid(name)
        self._delete(name)
        for _ in range(round(REBORN / POLL)):
            if self._uid(name) not in ("", uid):
                break
            await asyncio.sleep(POLL)

    async def answering(self, _: RequestInfo, request: web.Request, code: int) -> None:
        """After it was carried out or refused, before its answer is sent."""
        fate = self._fate.pop(id(request), "")
        self.audit.answered(request, code, told=fate not in ("reply lost", "late", "gateway"))
        if fate == "reply lost":
            _cut(request)
        elif fate == "gateway":
            raise ApiError(504, "Timeout", "upstream request timeout")

    # -- in the members' processes ----------------------------------------------------------------------------------

    def freeze(self, *, leader: bool = False, for_good: bool = False) -> None:
        """SIGSTOP to a member's JVM, and SIGCONT some seconds later, or when the sky clears."""
        pid = self._pid(leader=leader)
        if pid is not None and pid not in self._stopped:
            os.kill(pid, signal.SIGSTOP)
            loop = asyncio.get_running_loop()
            later = None if for_good else loop.call_later(self.rng.uniform(5, 7), self._thaw, pid)
            self._stopped[pid] = later

    def crash(self, *, leader: bool = False) -> None:
        """SIGKILL to a member's JVM: its kubelet starts it again."""
        pid = self._pid(leader=leader)
        if pid is not None:
            self._thaw(pid)
            os.kill(pid, signal.SIGKILL)

    def _thaw(self, pid: int) -> None:
        handle = self._stopped.pop(pid, None)
        if handle is not None:
            handle.cancel()
        with suppress(ProcessLookupError):  # the kubelet has killed it meanwhile
            os.kill(pid, signal.SIGCONT)

    def _pid(self, *, leader: bool) -> int | None:
        alive = self._alive()
        led = [p["metadata"]["name"] for p in alive if p["metadata"]["uid"] == self.audit.servers.leader]
        names = led if leader and led else sorted(p["metadata"]["name"] for p in alive)
        try:
            return self.cluster.kubelet.pid("default", self.rng.choice(names)) if names else None
        except ApiError:
            return None  # between two containers

    # -- other people -----------------------------------------------------------------------------------------------

    def cordon(self) -> None:
        """`kubectl cordon`; not of a node that was ours, whose annotations would make that one ours again."""
        nodes = [n for n in self._nodes() if "zktui/run" not in n["metadata"].get("annotations", {})]
        names = [n["metadata"]["name"] for n in nodes if not n["spec"].get("unschedulable")]
        if names:
            self._cordon(self.rng.choice(names), True)

    def uncordon(self) -> None:
        """`kubectl uncordon`: annotations stay."""
        shut = [n["metadata"]["name"] for n in self._nodes() if n["spec"].get("unschedulable")]
        if shut:
            self._cordon(self.rng.choice(shut), False)

    def delete(self) -> None:
        """`kubectl delete pod` of a member."""
        names = sorted(p["metadata"]["name"] for p in self._alive())
        if names:
            self._delete(self.rng.choice(names))

    def roll(self) -> None:
        """`kubectl rollout restart`."""

        def restart(owner: Object) -> None:
            metadata = owner["spec"]["template"].setdefault("metadata", {})
            metadata.setdefault("annotations", {})["example.com/restarted"] = str(self.rng.random())

        self.cluster.store.change("statefulsets.apps", "default", "zk", restart)

    def budget(self) -> None:
        """Somebody closes the budget, and opens it again some seconds later."""
        self._allow(0)
        asyncio.get_running_loop().call_later(self.rng.uniform(2, 5), self._allow, 1)

    def misread(self) -> None:
        """For some seconds half of all questions are refused."""
        self.unread = 0.5
        asyncio.get_running_loop().call_later(self.rng.uniform(2, 4), setattr, self, "unread", 0.0)

    # -- afterwards -------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Nobody is refused, nobody stands still, no node is cordoned, and nobody has the lease."""
        self.script.clear()
        self.on.clear()
        self.unread = 0.0
        for pid in list(self._stopped):
            self._thaw(pid)
        for node in self._nodes():
            if node["spec"].get("unschedulable"):
                self._cordon(node["metadata"]["name"], False)
        self._allow(1)
        if self.cluster.store.find(*LEASE) is not None:
            self.cluster.store.delete(*LEASE)
        for pod in self._alive():
            if any("waiting" in c.get("state", {}) for c in pod["status"].get("containerStatuses", ())):
                self._delete(pod["metadata"]["name"])  # or its kubelet backs off for longer than anybody wants to wait

    def _alive(self) -> list[Object]:
        return [p for p in self.audit.servers.pods() if "deletionTimestamp" not in p["metadata"]]

    def _uid(self, name: str) -> str:
        return next((p["metadata"]["uid"] for p in self.audit.servers.pods() if p["metadata"]["name"] == name), "")

    def _nodes(self) -> list[Object]:
        return self.cluster.store.list("nodes")[0]

    def _delete(self, name: str) -> None:
        with suppress(ApiError):  # it has gone
            self.cluster.store.delete("pods", "default", name)

    def _allow(self, count: int) -> None:
        change: Callable[[Object], None] = lambda budget: budget["spec"].update({"maxUnavailable": count})  # noqa: E731
        self.cluster.store.change("poddisruptionbudgets.policy", "default", "zk-pdb", change)

    def _cordon(self, name: str, unschedulable: bool) -> None:
        def change(node: Object) -> None:
            node["spec"].pop("unschedulable", None)
            if unschedulable:
                node["spec"]["unschedulable"] = True

        self.cluster.store.change("nodes", "", name, change)
        self.audit.cordoned.pop(name, None)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
