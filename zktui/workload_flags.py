"""The flags of `deploy`, `rollout` and `set-resources`, and the requests that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zktui.errors import UsageError

if TYPE_CHECKING:
    from zktui.headless.deploy import Request as DeployRequest
    from zktui.headless.rollout import Request as RolloutRequest
    from zktui.headless.workload import Changing

Where = Callable[[argparse.ArgumentParser], None]
Duration = Callable[[str], float]
Commands = argparse._SubParsersAction  # pyright: ignore[reportPrivateUsage]  # what add_subparsers gives has no other name

VERBS = {
    "status": "where the update stands, with quorum beside it; waits for its end unless --watch=false",
    "history": "the revisions, and what changed from each to the next",
    "undo": "back to the revision before, or to --to-revision",
    "restart": "a new pod for every member, one after another",
    "pause": "hold the update where it is, by the partition",
    "resume": "go on with an update that is held, member by member",
}


def add_commands(commands: Commands[Any], where: Where, duration: Duration) -> None:
    """`where` adds the flags that choose cluster and namespace, `duration` reads 5m."""
    _deploy(commands.add_parser("deploy", help="make an ensemble, or change one: diff, apply, watch"), where, duration)
    rollout = commands.add_parser("rollout", help="updates of the pods, member by member with quorum beside them")
    verbs = rollout.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, words in VERBS.items():
        target = verbs.add_parser(verb, help=words)
        where(target)
        _named(target)
        if verb in ("undo", "restart", "resume"):
            _changing(target, duration)
        else:
            target.add_argument("-o", "--output", choices=("text", "json"), default="text")
        if verb == "status":
            target.add_argument("-w", "--watch", type=_boolean, nargs="?", const=True, default=True, metavar="BOOL")
            target.add_argument("--timeout", type=duration, default=600.0, metavar="DURATION")
        if verb in ("undo", "history"):
            flag = "--to-revision" if verb == "undo" else "--revision"
            target.add_argument(flag, type=int, dest="revision", metavar="N")
    resources = commands.add_parser("set-resources", help="CPU and memory of the members, rolled out one by one")
    where(resources)
    _named(resources)
    resources.add_argument("--requests", default="", metavar="cpu=…,memory=…", help="what the scheduler sets aside")
    resources.add_argument("--limits", default="", metavar="cpu=…,memory=…", help="what a member may not exceed")
    resources.add_argument("-c", "--container", default="", metavar="NAME", help="default: ZooKeeper's")
    _changing(resources, duration)


def _named(target: argparse.ArgumentParser) -> None:
    target.add_argument("name", nargs="?", default="", metavar="STATEFULSET", help="where there are several")


def _changing(target: argparse.ArgumentParser, duration: Duration) -> None:
    target.add_argument("-y", "--yes", action="store_true", help="do not ask before beginning; no gate is skipped")
    target.add_argument("--override", default="", metavar="NAME", help="begin although a gate is closed: type its name")
    target.add_argument("--timeout", type=duration, default=300.0, metavar="DURATION", help="for each member")
    target.add_argument("--dwell", type=duration, metavar="DURATION", help="how long one must be back (syncLimit)")
    target.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _deploy(target: argparse.ArgumentParser, where: Where, duration: Duration) -> None:
    where(target)
    target.add_argument("--name", default="zk", help="of the ensemble, and what its objects' names begin with")
    target.add_argument("--members", type=_members, metavar="N", help="an odd number (default 3)")
    target.add_argument("--storage-class", default="", metavar="NAME", help="default: the cluster's")
    target.add_argument("--size", default="", metavar="10Gi", help="of each member's volume")
    target.add_argument("--image", default="", help="ZooKeeper 3.9's official image, or one of its layout")
    target.add_argument("--cpu", default="", metavar="500m", help="that each member asks for")
    target.add_argument("--memory", default="", metavar="1Gi", help="that each member asks for")
    target.add_argument("--heap", default="", metavar="512M", help="of the JVM")
    target.add_argument("--tutorial", action="store_true", help="the tutorial's own fields, for ZooKeeper 3.4")
    target.add_argument("--diff", action="store_true", help="show what would change, in full, and change nothing")
    target.add_argument("--force", action="store_true", help="take fields that other managers own")
    _changing(target, duration)


def deploy_request(given: argparse.Namespace) -> DeployRequest:
    """Raises UsageError for what can't be deployed."""
    from zktui.core.heap import heap_bytes  # noqa: PLC0415  # only what the chosen command needs
    from zktui.core.quantities import amount  # noqa: PLC0415
    from zktui.headless.deploy import Request  # noqa: PLC0415
    from zktui.workload.manifest import Wanted, objection_to  # noqa: PLC0415

    for flag in ("size", "cpu", "memory"):
        value = getattr(given, flag)
        if value and ((found := amount(value)) is None or found <= 0):
            raise UsageError(f"--{flag} {value!r} is not an amount such as 500m or 10Gi.")
    if given.heap and not heap_bytes(given.heap):
        raise UsageError(f"--heap {given.heap!r} is not a size such as 512M or 2G.")
    wanted = Wanted(
        namespace="",
        name=given.name,
        members=given.members,
        storage_class=given.storage_class,
        size=given.size,
        image=given.image,
        cpu=given.cpu,
        memory=given.memory,
        heap=given.heap,
        tutorial=given.tutorial,
    )
    if problem := objection_to(wanted):
        raise UsageError(f"That can't be deployed: {problem}.", "Nothing was changed.")
    return Request(wanted, given.diff, given.force, changing_of(given))


def rollout_request(given: argparse.Namespace) -> RolloutRequest:
    """Raises UsageError for amounts that are none."""
    from zktui.headless.rollout import Request  # noqa: PLC0415
    from zktui.workload.resources import BadQuantity, Wish, parse  # noqa: PLC0415

    told = vars(given)
    try:
        wish = Wish(parse(told.get("requests", "")), parse(told.get("limits", "")))
    except BadQuantity as error:
        raise UsageError(f"{error}.", "Nothing was changed.") from error
    return Request(
        verb="set-resources" if given.command == "set-resources" else given.verb,
        name=given.name,
        revision=told.get("revision"),
        watch=told.get("watch", True),
        wish=wish,
        container=told.get("container", ""),
        changing=changing_of(given),
    )


def changing_of(given: argparse.Namespace) -> Changing:
    from zktui.headless.workload import Changing  # noqa: PLC0415

    told = vars(given)
    return Changing(
        yes=told.get("yes", False),
        override=told.get("override", ""),
        timeout=told.get("timeout", 300.0),
        dwell=told.get("dwell"),
        output=given.output,
    )


def _members(text: str) -> int:
    if not text.isdecimal() or int(text) < 1 or int(text) % 2 == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an odd number: an even one adds a member and no tolerance")
    return int(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"
