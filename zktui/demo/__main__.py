"""``python -m zktui.demo --serve --write-kubeconfig FILE``: the rehearsal cluster alone, for kubectl and scripts."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from zktui.demo import zookeeper
from zktui.demo.cluster import CONTAINMENTS, DemoCluster, NotContained
from zktui.demo.control import NotARehearsal, ask
from zktui.demo.network import NoAddress
from zktui.demo.state_folder import FolderInUse, NotWritable
from zktui.demo.zookeeper import MissingSoftware

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as zktui does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The options, for ``zktui demo`` too."""
    made = _Parser(prog="zktui demo", description="A rehearsal Kubernetes with a real ZooKeeper ensemble.")
    made.add_argument("--serve", action="store_true", help="run the cluster alone until Ctrl-C")
    made.add_argument("--nodes", type=_between(1, 5000), default=4, metavar="N", help="nodes (default: 4)")
    made.add_argument(
        "--members", type=_between(0, 250), default=3, metavar="N", help="members of the ensemble (default: 3)"
    )
    made.add_argument(
        "--sleeping", type=_between(0, 50_000), default=0, metavar="N", help="pods beside them that only seem to run"
    )
    made.add_argument(
        "--contain",
        choices=CONTAINMENTS,
        default="auto",
        help="what keeps a pod's processes from yours: Linux namespaces, or that its commands are played; "
        "auto (default) takes namespaces where this machine allows them",
    )
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep the members' disks here")
    made.add_argument(
        "--write-kubeconfig",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write the cluster's kubeconfig here, until it ends; may be given again",
    )
    made.add_argument(
        "--break",
        dest="breaking",
        metavar="WHAT[=TARGET]",
        help="break something in the running rehearsal of $KUBECONFIG or --write-kubeconfig, such as "
        "kill-member=leader; `list` tells what, `nothing` makes all of it whole again",
    )
    made.add_argument("--until-eof", action="store_true", help="also end when standard input is closed")
    made.add_argument("--prepare", action="store_true", help="find or fetch ZooKeeper, and end")
    return made


def _between(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    convert.__name__ = "number"
    return convert


def say(line: str) -> None:
    """Tell the person at the terminal, also through a pipe at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(options: argparse.Namespace) -> int:
    """Run until a signal, or until the cluster can't be started; returns the exit code."""
    loop, received = asyncio.get_running_loop(), list[int]()
    work = asyncio.ensure_future(_run(options))

    def stop(number: int) -> None:
        if not received:  # a second Ctrl-C must not interrupt the stopping
            received.append(number)
            work.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    if options.until_eof:
        # Whoever started us holds the other end of a pipe, which closes however they end.
        loop.add_reader(sys.stdin.fileno(), lambda: os.read(sys.stdin.fileno(), 4096) or stop(signal.SIGHUP))
    try:
        await work
    except asyncio.CancelledError:
        say("stopped; nothing is left running")
    return 0 if received == [signal.SIGTERM] else INTERRUPTED


async def _run(options: argparse.Namespace) -> None:
    begun = asyncio.get_running_loop().time()
    cluster = DemoCluster(
        nodes=options.nodes,
        members=options.members,
        sleeping=options.sleeping,
        contain=options.contain,
        keep=options.keep,
        on_progress=say,
    )
    async with cluster:
        for path in options.write_kubeconfig:
            cluster.write_kubeconfig(path)
            say(f"kubectl --kubeconfig {path} get pods -o wide")
        try:
            await cluster.wait_ready()
            serving, took = min(options.members, options.nodes), asyncio.get_running_loop().time() - begun
            say(f"{serving} members serve after {took:.1f} s; Ctrl-C ends")
        except TimeoutError:
            say("not all members are ready yet; look at their events and logs. Ctrl-C ends")
        await asyncio.Event().wait()


def _listed(names: str | list[str]) -> str:
    return names if isinstance(names, str) else ", ".join(names)


def breaking(options: argparse.Namespace) -> int:
    """``--break``: one request to a cluster that runs. Raises NotARehearsal."""
    named = os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0]
    kubeconfig = next(iter(options.write_kubeconfig), None) or Path(named or Path.home() / ".kube" / "config")
    name, _, target = options.breaking.partition("=")
    if name == "list":
        found = ask(kubeconfig)
        for fault in found["faults"]:
            say(f"{fault['name'] + '=' + fault['target'].upper():<24}  {fault['words']}")
        broken = [f"{what} {named}" for what, names in found["broken"].items() if (named := _listed(names))]
        say(f"now: {'; '.join(broken) or 'all is whole'}")
        return 0
    body = {"mend": True} if name == "nothing" else {"break": name, "target": target}
    say(ask(kubeconfig, body)["done"])
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """0 stopped by SIGTERM, 130 by Ctrl-C or a closed terminal, 2 something is missing on this machine."""
    options = parser().parse_args(argv)
    try:
        if options.prepare:
            found = zookeeper.find(say)
            say(f"ZooKeeper {found.version} on {found.java}")
            return 0
        if options.breaking:
            return breaking(options)
        return asyncio.run(serve(options))
    except (MissingSoftware, NoAddress, NotContained, FolderInUse, NotWritable, NotARehearsal) as why:
        sys.stderr.write(f"zktui demo: {why}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
