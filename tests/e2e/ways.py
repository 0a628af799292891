"""Four ways to take every node down once: zktui by keys and without a screen, kubectl in a loop, a careful person."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.e2e.judge import ask
from tests.e2e.verdict import LEADING, SERVING
from tests.scenarios.keys import Terminal, to_node
from tests.scenarios.stage import Stage, eventually, kubectl_program

NODES = ("node-1", "node-2", "node-3", "node-4")
DWELL = 10.0
"""Seconds for which zktui lets a member serve before the next may go: syncLimit x tickTime of both shapes."""
BACK = 180.0
"""Seconds within which a member must be back."""
LONGEST = 900.0
DRAIN = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")


@dataclass(frozen=True, slots=True)
class Took:
    """When it was done (monotonic seconds), and how much of it was zktui's dwell."""

    began: float
    ended: float
    dwell: float = 0.0


@dataclass(frozen=True, slots=True)
class Member:
    """A member's pod. `ready_since` is seconds since the epoch; None while it is not Ready."""

    name: str
    uid: str
    node: str
    address: str
    ready_since: float | None


class Bench:
    """A stage with four nodes and three members, and what all ways need to know of it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def program(self) -> str:
        """The stage's own kubectl."""
        found = shutil.which("kubectl", path=self.stage.environment()["PATH"]) or kubectl_program()
        assert found is not None, "kubectl is not on the PATH, and not built yet (make e2e)"
        return found

    def kubectl(self, *words: str) -> str:
        ended = self.stage.kubectl(*words, timeout=400.0)
        assert ended.code == 0, ended
        return ended.out

    def members(self) -> dict[str, Member]:
        found: dict[str, Member] = {}
        for pod in json.loads(self.kubectl("get", "pods", "-l", "app=zk", "-o", "json"))["items"]:
            meta, status = pod["metadata"], pod.get("status", {})
            ready = next(
                (c for c in status.get("conditions", ()) if (c["type"], c["status"]) == ("Ready", "True")), None
            )
            since = datetime.fromisoformat(ready["lastTransitionTime"]).timestamp() if ready else None
            home, address = pod["spec"].get("nodeName", ""), status.get("podIP", "")
            found[meta["name"]] = Member(meta["name"], meta["uid"], home, address, since)
        return found

    def spare(self) -> str:
        """The node without a member."""
        (node,) = set(NODES) - {member.node for member in self.members().values()}
        return node

    def modes(self) -> dict[str, str]:
        """What each member's own `srvr` says."""
        return {m.name: asyncio.run(ask(m.address))[0] if m.address else "" for m in self.members().values()}

    def leader(self) -> str:
        (name,) = (name for name, mode in self.modes().items() if mode in LEADING)
        return name

    def drain(self, node: str) -> None:
        self.kubectl("drain", node, *DRAIN)

    def uncordon(self, *nodes: str) -> None:
        self.kubectl("uncordon", *nodes)

    def moved(self, before: Member) -> None:
        """Wait until the member's successor serves, by its own `srvr`."""

        def serves() -> bool:
            now = self.members().get(before.name)
            if now is None or now.uid == before.uid or not now.address:
                return False
            return asyncio.run(ask(now.address))[0] in SERVING

        eventually(f"{before.name} to serve again", serves, BACK, 0.2)

    def arrange(self, settle: float) -> None:
        """The same start for all: the last node is the empty one, and every member has been Ready for so long."""
        self.uncordon(*NODES)
        # What a run that failed has left: the next one would wait until it expires.
        self.kubectl("delete", "lease", "zktui-maintenance", "--ignore-not-found")
        self._whole()
        if (empty := self.spare()) != NODES[-1]:
            (member,) = (m for m in self.members().values() if m.node == NODES[-1])
            self.drain(NODES[-1])
            self.moved(member)
            self.uncordon(NODES[-1])
            assert self.members()[member.name].node == empty
        self._whole()

        def settled() -> bool:
            since = [member.ready_since for member in self.members().values()]
            return all(at is not None and time.time() - at > settle for at in since)

        eventually("every member to have been Ready for long", settled, settle + BACK, 1.0)

    def _whole(self) -> None:
        def whole() -> bool:
            members = self.members().values()
            if len(members) != 3 or not all(member.ready_since for member in members):
                return False
            return all(mode in SERVING for mode in self.modes().values())

        eventually("three serving members", whole, BACK, 0.5)


def by_kubectl(bench: Bench, _: Path) -> Took:
    """`kubectl drain` and `kubectl uncordon`, node after node by name. The budget is respected throughout."""
    began = time.monotonic()
    for node in NODES:
        bench.drain(node)
        bench.uncordon(node)
    return Took(began, time.monotonic())


def by_hand(bench: Bench, _: Path) -> Took:
    """With kubectl, by a person who knows ZooKeeper: the empty node first, the leader last, and wait for `srvr`."""
    began = time.monotonic()
    leader, members = bench.leader(), bench.members()
    at = {member.node: member for member in members.values()}
    order = sorted(NODES, key=lambda node: (node in at, node in at and at[node].name == leader, node))
    for node in order:
        bench.drain(node)
        if node in at:
            bench.moved(at[node])
        bench.uncordon(node)
    return Took(began, time.monotonic())


def headless(bench: Bench, folder: Path) -> Took:
    """zktui without a screen, for all nodes that carry the ensemble: the empty one will, since the first member that
    goes has no other.
    """
    command = ("maintain", "--ensemble-nodes", "--yes", "--hold", "0", "-o", "jsonl")
    began = time.monotonic()
    ended = bench.stage.zktui(*command, timeout=LONGEST)
    took = time.monotonic()
    (folder / "headless.jsonl").write_text(ended.out)
    assert ended.code == 0, ended
    return Took(began, took, DWELL * _dwells(ended.out.splitlines()))


def _dwells(journal: Iterable[str]) -> int:
    """How many members were let serve for the dwell, one after another."""
    return sum(json.loads(line).get("kind") == "rejoined" for line in journal if line.strip())


def by_keys(bench: Bench, folder: Path) -> Took:
    """zktui's wizard, typed: all nodes marked, and each uncordoned by `u` as soon as it is drained.

    The time is from the `y` that begins the run; what a person takes to read the review is their own.
    """
    environment = {**bench.stage.environment(), "XDG_STATE_HOME": str(folder / "state")}
    terminal = Terminal([sys.executable, "-m", "zktui"], environment, folder, 160, 45)
    try:
        terminal.wait("quorum 3/3", "allows 1", deadline=60)
        terminal.press("m")
        terminal.wait("Which nodes?", *NODES)
        for node in NODES:
            to_node(terminal, node)
            terminal.press("Space")
        terminal.wait("4 nodes, 3 members to move")
        terminal.press("Enter")
        terminal.wait("READY", "1 election")
        terminal.press("s")
        terminal.wait("Drain ", "y ")
        began = time.monotonic()
        terminal.press("y")
        _until_done(terminal)
        ended = time.monotonic()
        terminal.press("Enter")
        terminal.wait("Ensemble zk")
        terminal.press("q")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()
    (journal,) = (path for path in (folder / "state").rglob("*.jsonl") if not path.name.endswith(".report.jsonl"))
    return Took(began, ended, DWELL * _dwells(journal.read_text().splitlines()))


def _until_done(terminal: Terminal) -> None:
    given: set[str] = set()

    def done() -> bool:
        screen = terminal.screen()
        assert not re.search(r"✖ +(FAILED|ABORTED)", screen), "the run did not end well"
        drained = re.search(r"(node-\d) is drained and yours", screen)
        if drained is not None and drained[1] not in given:
            given.add(drained[1])
            terminal.press("u")
        return "✔ DONE" in screen and "No node is left cordoned" in screen

    try:
        eventually("the run to be done", done, LONGEST, 0.1)
    except AssertionError as why:
        raise AssertionError(f"{why}\n{terminal.screen()}") from why


WAYS: dict[str, Callable[[Bench, Path], Took]] = {
    "keys": by_keys,
    "headless": headless,
    "kubectl": by_kubectl,
    "by-hand": by_hand,
}
SAID = {
    "keys": "zktui, its wizard by keys",
    "headless": "`zktui maintain --ensemble-nodes --yes`",
    "kubectl": "`kubectl drain` and `uncordon` in a loop",
    "by-hand": "a careful order by hand: the empty node first, the leader last, waiting for each `srvr`",
}
