"""``python -m tests.e2e.record``: what a real API server answers to the requests of tests/vectors, as files there.

``--check`` compares with those files instead, and tells where they differ. Names of cases record only those.
Exit codes: 0 done, or no difference; 1 it differs, or failed; 75 skipped, because this machine lacks something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

import aiohttp

from tests.e2e import cluster, controlplane, needs
from tests.e2e.__main__ import SKIPPED, build, complain, say, tell
from tests.e2e.cluster import KWOK, REAL, Cluster
from tests.e2e.controlplane import ControlPlane
from tests.e2e.ledger import Ledger
from tests.scenarios.guard import Guard
from tests.vectors import catalogue
from tests.vectors.compare import differences
from tests.vectors.wire import DEADLINE, Exchange, play

STRANGER = "zktui-demo"
"""A user whom no role names. The embedded server's own user is called so too: refusals name him."""

COMPACTION = "3s"
"""Between compactions of the storage; five minutes by default. Long enough for a list's second page."""


class RealServer:
    """A real API server as :class:`tests.vectors.wire.Server`."""

    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession, nobody: aiohttp.ClientSession) -> None:
        self.plane = plane
        self.session = session
        self.nobody = nobody

    @contextmanager
    def denied(self, verb: str, resource: str) -> Generator[dict[str, str]]:
        """A stranger may do nothing at all."""
        yield {"Impersonate-User": STRANGER}

    async def compact(self) -> None:
        """It does so by itself, every COMPACTION; a case waits for that."""

    async def kubelet_ready(self) -> None:
        async with asyncio.timeout(DEADLINE), self.session.get("/api/v1/nodes/node-1") as reply:
            reply.raise_for_status()


@asynccontextmanager
async def connected(plane: ControlPlane) -> AsyncGenerator[RealServer]:
    """Sessions of the administrator and of nobody."""
    authority = plane.authority
    admin, plain = (ssl.create_default_context(cafile=str(authority.own.certificate)) for _ in range(2))
    admin.load_cert_chain(authority.folder / "admin.crt", authority.folder / "admin.key")
    async with (
        aiohttp.ClientSession(plane.server, connector=aiohttp.TCPConnector(ssl=admin)) as session,
        aiohttp.ClientSession(plane.server, connector=aiohttp.TCPConnector(ssl=plain)) as nobody,
    ):
        yield RealServer(plane, session, nobody)


@contextmanager
def api_only(folder: Path) -> Generator[ControlPlane]:
    """An API server and its storage alone: nobody else changes an object, so each state is what a case made it.

    The storage is older than the server, whose watch caches then don't know the oldest versions.
    """
    with _server(folder / "before"):
        pass
    fresh = folder / "now"
    fresh.mkdir()
    (folder / "before" / "etcd").rename(fresh / "etcd")
    with _server(fresh) as plane:
        yield plane


@contextmanager
def _server(folder: Path) -> Generator[ControlPlane]:
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder)
    guard = Guard(sys.executable, "-m", "tests.e2e", "down", "--folder", folder, folder=cluster.CHECKOUT)
    addresses = (cluster.LOOPBACK, cluster.LOOPBACK_SERVICES, cluster.LOOPBACK_SERVICE)
    try:
        yield controlplane.start_server(ledger, *addresses, etcd_compaction_interval=COMPACTION)[0]
    finally:
        ledger.stop_all()
        guard.dismiss()


@contextmanager
def one_node(folder: Path) -> Generator[ControlPlane]:
    """A whole cluster with one real node."""
    running = Cluster(folder)
    plane = running.up(REAL, 1, say)
    try:
        yield plane
    finally:
        running.down()


async def record(plane: ControlPlane, names: Iterable[str]) -> dict[str, list[Exchange]]:
    """The cases of those names, one after another."""
    async with connected(plane) as server:
        return {name: await play(server, name, catalogue.CASES[name]) for name in names}


def version(plane: ControlPlane) -> str:
    return json.loads(plane.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]


def record_all(folder: Path, names: Iterable[str]) -> tuple[str, dict[str, list[Exchange]]]:
    """(the server's version, what was recorded); starts and ends what it needs in ``folder``."""
    wanted = list(names)
    found: dict[str, list[Exchange]] = {}
    said = ""
    for place, on_nodes, using in (("api", False, api_only), ("node", True, one_node)):
        part = [name for name in wanted if (name in catalogue.ON_NODES) == on_nodes]
        if part:
            with using(folder / place) as plane:
                said = version(plane)
                found |= asyncio.run(record(plane, part))
                say(f"{len(part)} cases")
    return said, found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.record", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("--nodes", choices=[REAL, KWOK], default=REAL, help="kwok: leave out what needs a kubelet")
    parser.add_argument("names", nargs="*", metavar="CASE", help="default: all")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in catalogue.CASES]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(catalogue.CASES)}")
    part = needs.real(say) if options.nodes == REAL else needs.kwok()
    if part.lacks:
        tell(f"SKIPPED: {part.name}: this machine lacks {'; '.join(part.lacks)}")
        return SKIPPED
    build(options.nodes)
    names = [
        name for name in options.names or catalogue.CASES if options.nodes == REAL or name not in catalogue.ON_NODES
    ]
    with tempfile.TemporaryDirectory(prefix="zktui-record-") as folder:
        said, found = record_all(Path(folder), names)
    if not options.check:
        for name, exchanges in found.items():
            catalogue.save(said, name, exchanges)
        say(f"{sum(map(len, found.values()))} replies of Kubernetes {said} in {len(found)} files")
        return 0
    other = [line for name, exchanges in found.items() for line in differences(catalogue.load(name), exchanges, name)]
    complain("\n".join(map(str, other)) or f"no difference in {len(found)} cases")
    return 1 if other else 0


def _ended(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # What was started is ended also when this is.
    signal.signal(signal.SIGTERM, _ended)
    sys.exit(main(sys.argv[1:]))
