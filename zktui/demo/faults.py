"""What can be broken in a rehearsal cluster: nodes, members and the API server, and how each is made whole again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from zktui.demo import four_letter, partition
from zktui.demo.errors import ApiError, bad_request
from zktui.demo.kubelet import Kubelet
from zktui.demo.objects import Object, name_of
from zktui.demo.server import ApiServer
from zktui.demo.store import Store

LEADER = "leader"
SECONDS = 20.0
"""How long the API server is in trouble where nothing else is said."""
LONGEST = 600.0


@dataclass(frozen=True)
class Fault:
    """``target``: a ``node``, a ``member`` (its pod in namespace default, or ``leader``), or ``seconds``."""

    name: str
    target: str
    words: str


FAULTS = (
    Fault("stop-node", "node", "Stop a node: its kubelet falls silent and all its pods' processes end"),
    Fault("start-node", "node", "Start a stopped node again"),
    Fault("cut-member", "member", "Cut a member off from everybody else's network"),
    Fault("join-member", "member", "Join a cut-off member to the network again"),
    Fault("freeze-member", "member", "Freeze a member's process; it keeps its connections and says nothing"),
    Fault("thaw-member", "member", "Let a frozen member go on"),
    Fault("kill-member", "member", "Kill a member's process; its kubelet starts it again"),
    Fault("fail-api", "seconds", "Let the API server answer 500 to everything"),
    Fault("stall-api", "seconds", "Let the API server accept requests and say nothing"),
    Fault("restart-api", "seconds", "Restart the API server: every watch is cut, and what they knew is too old"),
)


class Faults:
    """Breaks things, and knows what is broken. :meth:`mend` makes all of it whole."""

    def __init__(self, store: Store, kubelet: Kubelet, server: ApiServer) -> None:
        self._store, self._kubelet, self._server = store, kubelet, server
        self._cuts: dict[str, tuple[asyncio.Task[None], Object]] = {}
        """By pod, with the pod as it was then: it may be gone when it is joined again."""
        self._frozen: set[str] = set()
        self._restarting: asyncio.Task[None] | None = None

    def present(self) -> Object:
        """What can be broken, and what is, as JSON."""
        return {
            "faults": [{"name": one.name, "target": one.target, "words": one.words} for one in FAULTS],
            "nodes": [name_of(node) for node in self._store.list("nodes")[0]],
            "members": self._members(),
            "broken": {
                "stopped": sorted(self._kubelet.stopped),
                "cut": sorted(self._cuts),
                "frozen": sorted(self._frozen),
                "api": self._server.trouble,
            },
        }

    def _members(self) -> list[str]:
        return [name_of(pod) for pod in self._store.list("pods", "default")[0] if self._kubelet.serves("default", pod)]

    async def break_it(self, name: str, target: str = "") -> str:
        """Do what :data:`FAULTS` says of that name; returns what was done. 400 for what there is not."""
        fault = next((one for one in FAULTS if one.name == name), None)
        if fault is None:
            raise bad_request(f"{name} is no fault of the rehearsal: {', '.join(one.name for one in FAULTS)}")
        if fault.target == "seconds":
            return self._api(name, _seconds(target))
        if fault.target == "node":
            return self._node(name, target)
        pod = await self._leader() if target == LEADER else target
        ways: dict[str, Callable[[str], Awaitable[str] | str]] = {
            "cut-member": self._cut,
            "join-member": self._join,
            "freeze-member": self._freeze,
            "thaw-member": self._thaw,
            "kill-member": self._kill,
        }
        done = ways[name](pod)
        return done if isinstance(done, str) else await done

    async def mend(self) -> None:
        """Everything whole again, as far as it was broken here."""
        for node in list(self._kubelet.stopped):
            self._kubelet.power(node, on=True)
        for pod in list(self._cuts):
            await self._join(pod)
        for pod in list(self._frozen):
            self._thaw(pod)
        self._server.be_well()

    async def close(self) -> None:
        """End what goes on by itself."""
        for pod in list(self._cuts):
            await self._join(pod)
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.wait({self._restarting})

    # -- nodes -----------------------------------------------------------------------------------------

    def _node(self, name: str, node: str) -> str:
        self._store.get("nodes", "", node)
        on = name == "start-node"
        if on != (node in self._kubelet.stopped):
            raise bad_request(f"{node} {'runs' if on else 'is stopped already'}")
        self._kubelet.power(node, on=on)
        return f"{node} is started" if on else f"{node} is stopped: Unknown in 50 s, its pods evicted 5 min later"

    # -- members ---------------------------------------------------------------------------------------

    async def _leader(self) -> str:
        for pod in self._members():
            running = self._kubelet.container("default", pod)
            try:
                async with asyncio.timeout(2):
                    answer = await four_letter.ask(running.ip, running.client_port, "srvr")
            except (OSError, TimeoutError):
                continue
            if four_letter.mode(answer) == LEADER:
                return pod
        raise bad_request("no member leads now")

    def _freeze(self, pod: str) -> str:
        self._kubelet.container("default", pod).main.signal(signal.SIGSTOP)
        self._frozen.add(pod)
        return f"{pod} is frozen"

    def _thaw(self, pod: str) -> str:
        self._frozen.discard(pod)
        self._kubelet.container("default", pod).main.signal(signal.SIGCONT)
        return f"{pod} goes on"

    def _kill(self, pod: str) -> str:
        self._frozen.discard(pod)
        self._kubelet.container("default", pod).main.signal(signal.SIGKILL)
        return f"{pod} is killed"

    def _cut(self, pod: str) -> str:
        if not partition.possible():
            raise bad_request(f"a member can be cut off only on Linux 5.6 and later, not on {sys.platform}")
        self._kubelet.container("default", pod)
        if pod in self._cuts:
            raise bad_request(f"{pod} is cut off already")
        found = self._store.get("pods", "default", pod)
        self._kubelet.keep_apart(found, apart=True)
        self._cuts[pod] = (asyncio.create_task(self._hold_apart(pod)), found)
        return f"{pod} is cut off"

    async def _hold_apart(self, pod: str) -> None:
        """Whatever is connected still, also after its process was started anew, is cut again."""
        while True:
            with contextlib.suppress(ApiError, OSError):  # it may not run just now
                partition.cut(self._kubelet.container("default", pod).main.pid)
            await asyncio.sleep(partition.EVERY)

    async def _join(self, pod: str) -> str:
        if pod not in self._cuts:
            raise bad_request(f"{pod} is not cut off")
        task, found = self._cuts.pop(pod)
        task.cancel()
        await asyncio.wait({task})
        self._kubelet.keep_apart(found, apart=False)
        return f"{pod} is joined again"

    # -- the API server ----------------------------------------------------------------------------------

    def _api(self, name: str, seconds: float) -> str:
        if name == "restart-api":
            self._restarting = asyncio.create_task(self._server.restart(min(seconds, LONGEST)))
            return f"the API server is away for {seconds:g} s"
        self._server.be_unwell("fail" if name == "fail-api" else "stall", seconds)
        return f"the API server {'fails' if name == 'fail-api' else 'stalls'} for {seconds:g} s"


def _seconds(text: str) -> float:
    try:
        seconds = float(text or SECONDS)
    except ValueError:
        raise bad_request(f"{text} is no number of seconds") from None
    if not 0 < seconds <= LONGEST:
        raise bad_request(f"{text} is not between 0 and {LONGEST:g} seconds")
    return seconds
