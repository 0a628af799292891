"""`make screenshots`: the real program, driven by keys on a demo cluster, into screenshots/*.svg and *.png."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import resvg_py
from textual.pilot import Pilot

from tests.scenarios.data import Znodes
from tests.scenarios.stage import Stage
from tests.ui.pilots import screen_text
from zktui.cluster.connect import Connection, connect
from zktui.core.ports import Answer
from zktui.settings import Settings
from zktui.ui.app import ZktuiApp
from zktui.wiring import open_session

FOLDER = Path(__file__).resolve().parent.parent / "screenshots"
SIZE = (120, 36)
SMALL = (80, 24)
FONT = "DejaVu Sans Mono"
DEADLINE = 90.0

TREE = {
    "/brokers": b"",
    "/brokers/ids": b"",
    "/brokers/ids/0": b'{"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://kafka-0.kafka:9092"],'
    b'"jmx_port":-1,"features":{},"host":"kafka-0.kafka","timestamp":"1764000000000","port":9092,"version":5}',
    "/brokers/ids/1": b'{"host":"kafka-1.kafka","port":9092,"version":5}',
    "/brokers/ids/2": b'{"host":"kafka-2.kafka","port":9092,"version":5}',
    "/brokers/topics": b"",
    "/brokers/topics/orders": b'{"partitions":{"0":[0,1,2],"1":[1,2,0],"2":[2,0,1]},"version":3}',
    "/config": b"",
    "/config/topics": b"",
    "/controller_epoch": b"7",
    "/hello": b"world",
}


class Photographer:
    """One program on one demo, and where its pictures go."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot

    async def see(self, *texts: str) -> None:
        """Wait until the screen shows all of the texts. Raises AssertionError with the screen as it is."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not all(text in screen_text(self.pilot) for text in texts):
                    await self.pilot.pause(0.1)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {texts}:\n{screen_text(self.pilot)}") from None

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def shoot(self, name: str) -> None:
        svg = self.pilot.app.export_screenshot(title="zktui")
        # The picture is to look the same without a network: the fonts are those of the machine that shows it.
        svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
        svg = svg.replace("Fira Code", FONT)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.svg").write_text(svg)
        png = resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT, monospace_family=FONT, zoom=1)
        (FOLDER / f"{name}.png").write_bytes(bytes(png))
        print(f"screenshots/{name}.png", flush=True)  # noqa: T201  # what a person who runs it wants to know


async def cursor_to(shots: Photographer, line: Callable[[str], bool]) -> None:
    """Press Down until the line under the cursor is the wanted one."""
    async with asyncio.timeout(DEADLINE):
        while not any(line(text) for text in screen_text(shots.pilot).splitlines() if text.startswith("▸ ")):
            await shots.press("down")


async def session(
    stage: Stage,
    folder: Path,
    take: Callable[[Photographer, Any], Any],
    size: tuple[int, int],
    *,
    first: tuple[str, ...] = ("quorum 3/3", "follower"),
    leaves: bool = False,
) -> None:
    """Drive one program from when it shows what comes `first`. With `leaves` its run is left unattended at the end."""
    settings = Settings(kubeconfig=str(stage.kubeconfig), state=folder / ".local" / "state" / "zktui")
    connection = connect(str(stage.kubeconfig))
    connection.prepare()
    async with open_session(settings, connection) as opened:
        app = ZktuiApp(opened)
        async with app.run_test(size=size) as pilot:
            shots = Photographer(pilot)
            await shots.see(*first)
            await take(shots, connection)
            if leaves:
                await opened.desk.leave()
            engine = opened.desk.engine
            assert leaves or engine is None or engine.run.status.ended, "a run was left unfinished"


async def browse(shots: Photographer, _: Connection) -> None:
    """Ensemble with everything beside it; znodes."""
    await shots.press("3")
    await shots.see("brokers")
    await shots.press("g")
    await shots.pilot.press(*"/brokers/ids/0")
    await shots.press("enter")
    await shots.see("PLAINTEXT")
    await shots.press("1")
    await shots.see("zk-pdb allows 1")
    shots.shoot("ensemble")
    await shots.press("3", "z")
    await shots.see("jmx_port", "quorum 3/3")
    shots.shoot("znodes")
    await shots.press("4")
    await shots.see("not run")
    await shots.press("r")
    await shots.see("looked at")
    await shots.press("end")
    await shots.see("maintenance.order ·", "quorum 3/3")
    shots.shoot("checks")


async def small(shots: Photographer, _: Connection) -> None:
    await shots.see("zk-pdb")
    shots.shoot("small")


async def maintain(shots: Photographer, connection: Connection, leader: Any) -> None:
    """The plan of all nodes, and the leader's node on its way."""
    await shots.press("m")
    await shots.see("Which nodes?")
    for number in range(4):
        await shots.press("space")
        if number < 3:
            await shots.press("down")
    await shots.press("enter")
    await shots.see("election", "LANDS ON")
    shots.shoot("plan")
    await shots.press("escape")
    await shots.see("Which nodes?")
    await shots.press("x")
    await shots.press("home")
    await cursor_to(shots, lambda line: line.startswith(f"▸ {leader['node']} "))
    await shots.press("space", "enter")
    await shots.see("READY", "election")
    await shots.press("s")
    await shots.see("Drain")
    await shots.press("y")
    await shots.see("is on its way", "quorum 2/3")
    await shots.see("serves for 5 s", "quorum 3/3")
    shots.shoot("running")
    await shots.see("YOURS")
    await shots.press("u")
    await shots.see("DONE")
    shots.shoot("done")
    await shots.press("enter")
    await shots.see("Ensemble zk")
    await shots.press("5")
    await shots.see("In short", "members moved")
    shots.shoot("runs")
    await shots.press("escape")
    await shots.see("Ensemble zk")
    await shots.press("2", "z")
    await shots.see("follow", "quorum 3/3")
    await shots.press("slash")
    await shots.pilot.press(*"state")
    await shots.press("enter")
    # By the filter: what a busy demo says after it would have scrolled it away.
    await shots.see("/state", "Peer state changed: following - broadcast")
    shots.shoot("logs")


async def held(shots: Photographer, connection: Connection, node: str) -> None:
    """A run that holds a node, with a note."""
    await shots.press("m")
    await shots.see("Which nodes?")
    await cursor_to(shots, lambda line: line.startswith(f"▸ {node} "))
    await shots.press("space", "enter")
    await shots.see("READY", "LANDS ON")
    shots.shoot("small-review")
    await shots.press("s")
    await shots.see("Drain")
    await shots.press("y")
    await shots.see("YOURS")
    shots.shoot("small-hold")
    await shots.press("n")
    await shots.see("for whoever finds this run")
    await shots.pilot.press(*"swapping", "space", *"the", "space", *"disk")
    await shots.press("enter")
    await shots.see("the operator notes")


async def found(shots: Photographer, connection: Connection, node: str) -> None:
    """The same run, found by the next program; resumed, and brought to its end."""
    await shots.see("UNATTENDED", node)
    shots.shoot("unfinished")
    await shots.press("r")
    await shots.see("Resume this run?")
    await shots.press("y")
    await shots.see("YOURS")
    await shots.press("u")
    await shots.see("DONE")


async def blocked(shots: Photographer, connection: Connection, ensemble: Any) -> None:
    """Somebody has left two nodes cordoned and a member with nowhere to go."""
    first, second = (m for m in ensemble["members"] if m["role"] == "follower")
    used = {m["node"] for m in ensemble["members"]}
    spare = next(n for n in ("node-1", "node-2", "node-3", "node-4") if n not in used)
    for name in (spare, first["node"]):
        await set_cordon(connection, name, cordoned=True)
    pods = await connection.cluster.pods("default")
    assert isinstance(pods, Answer)
    victim = next(pod for pod in pods.value if pod.name == first["pod"])
    assert isinstance(await connection.cluster.evict(victim.key), Answer)
    await shots.see("quorum 2/3")
    await shots.press("m")
    await shots.see("Which nodes?")
    await cursor_to(shots, lambda line: line.startswith(f"▸ {second['node']} "))
    await shots.press("space", "enter")
    await shots.see("LANDS ON")
    shots.shoot("review")
    await shots.press("s")
    await shots.see("Drain")
    await shots.press("y")
    await shots.see("BLOCKED")
    shots.shoot("blocked")
    await shots.press("a")
    await shots.see("top")
    await shots.press("y")
    await shots.see("ABORTED")
    for name in (spare, first["node"]):
        await set_cordon(connection, name, cordoned=False)


async def set_cordon(connection: Connection, name: str, *, cordoned: bool) -> None:
    node = await connection.cluster.node(name)
    assert isinstance(node, Answer)
    assert isinstance(await connection.cluster.cordon(node.value, cordoned), Answer)


def plant(stage: Stage) -> None:
    """Data that a Kafka would have there."""
    znodes = Znodes(stage.kubeconfig)
    leader = stage.member("leader")
    try:
        for path, data in TREE.items():
            znodes.create(leader, path, data)
    finally:
        znodes.close()


def main() -> int:
    wanted = set(sys.argv[1:])
    # Whoever takes them: the pictures show somebody's desk, not this machine.
    somebody = mock.patch.object(socket, "gethostname", return_value="desk")
    with tempfile.TemporaryDirectory(prefix="zktui-shots-") as folder, somebody:
        path = Path(folder)
        stage = Stage(path)
        try:
            stage.ready()
            plant(stage)
            os.environ.update(LOGNAME="ann", HOME=folder)
            if not wanted or "browse" in wanted:
                asyncio.run(session(stage, path, browse, SIZE))
                asyncio.run(session(stage, path, small, SMALL))
            if not wanted or "maintain" in wanted:
                leader = stage.member("leader")
                asyncio.run(session(stage, path, lambda shots, to: maintain(shots, to, leader), SIZE))
            if not wanted or "unfinished" in wanted:
                node = stage.member("follower")["node"]
                hold = session(stage, path, lambda shots, to: held(shots, to, node), SMALL, leaves=True)
                asyncio.run(hold)
                again = session(stage, path, lambda shots, to: found(shots, to, node), SIZE, first=("UNATTENDED",))
                asyncio.run(again)
            if not wanted or "blocked" in wanted:
                ensemble = stage.status()
                asyncio.run(session(stage, path, lambda shots, to: blocked(shots, to, ensemble), SIZE))
        finally:
            stage.strike()
    return 0


if __name__ == "__main__":
    sys.exit(main())
