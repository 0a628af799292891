"""The flags of `zktui drill`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zktui.headless.drill import ProcessRequest
    from zktui.headless.storagedrill import StorageRequest

Commands = argparse._SubParsersAction  # pyright: ignore[reportPrivateUsage]  # what add_subparsers gives has no other name

PROCESS = "end one member's ZooKeeper server, after a quorum gate, and follow its restart, election and rejoin"
STORAGE = "delete the StatefulSet, apply it again as it was, and find what was written before"
CASCADE = """\
orphan: its pods stay, and nobody feels anything (the default); background: they go with it, as with kubectl delete,
and until they are back there is no ensemble: that takes --accept-outage too"""


def add_command(
    commands: Commands[Any],
    where: Callable[[argparse.ArgumentParser], None],
) -> None:
    """`where` adds the flags that choose cluster and ensemble."""
    drill = commands.add_parser("drill", help="break one thing on purpose, and follow it until all is well")
    drills = drill.add_subparsers(dest="drill", metavar="DRILL", required=True)
    process = drills.add_parser("process", help=PROCESS, description=PROCESS)
    where(process)
    process.add_argument("member", metavar="MEMBER", help="its pod's name")
    storage = drills.add_parser("storage", help=STORAGE, description=STORAGE)
    where(storage)
    storage.add_argument("name", nargs="?", default="", metavar="NAME", help="of the StatefulSet, if there are several")
    storage.add_argument("--cascade", choices=("orphan", "background"), default="orphan", help=CASCADE)
    storage.add_argument("--accept-outage", action="store_true", help="with --cascade background")
    storage.add_argument("--finish", action="store_true", help="bring a drill to its end that was cut off")
    for target in (process, storage):
        target.add_argument("-y", "--yes", action="store_true", help="do not ask for the name; no gate is skipped")
        target.add_argument("-o", "--output", choices=("text", "jsonl"), default="text")


def request(arguments: argparse.Namespace) -> ProcessRequest | StorageRequest:
    if arguments.drill == "process":
        from zktui.headless.drill import ProcessRequest  # noqa: PLC0415  # only drills need it

        return ProcessRequest(arguments.member, arguments.yes, arguments.output)
    from zktui.headless.storagedrill import StorageRequest  # noqa: PLC0415

    return StorageRequest(
        name=arguments.name,
        orphan=arguments.cascade == "orphan",
        accept_outage=arguments.accept_outage,
        finish=arguments.finish,
        yes=arguments.yes,
        output=arguments.output,
    )
