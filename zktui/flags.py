"""The flags of the command line, and what their values must look like."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from zktui import __version__, drill_flags, workload_flags
from zktui.errors import EXIT_USAGE

if TYPE_CHECKING:
    from zktui.maintenance.model import Hold

DESCRIPTION = "Take a node down under a ZooKeeper ensemble on Kubernetes without losing quorum, and prove it."
EPILOG = """\
exit codes: 0 done, 1 failed, 2 usage or configuration, 3 blocked, unsafe or unknown, 4 not permitted,
130 interrupted. No cluster at hand? zktui demo starts a live one on this machine."""


_BOOLEANS = re.compile(r"(--(?:delete-emptydir-data|disable-eviction|force|ignore-daemonsets))=(.*)", re.DOTALL)
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def as_kubectl(words: Iterable[str]) -> list[str]:
    """Kubectl takes a flag with its value as well (`--force=true`), in the words of Go's ParseBool. Others stay."""
    known: list[str] = []
    for word in words:
        given = _BOOLEANS.fullmatch(word)
        if given is None or given[2] not in (*_TRUE, *_FALSE):
            known.append(word)
        elif given[2] in _TRUE:
            known.append(given[1])
    return known


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and how to get help, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line. Flags that say where may stand before or after the command."""
    top = _Parser(prog="zktui", description=DESCRIPTION, epilog=EPILOG, formatter_class=_Formatter)
    top.add_argument("--version", action="version", version=f"zktui {__version__}")
    _where(top, first=True)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    status = commands.add_parser("status", help="every ensemble, its quorum, members and budgets, once")
    _where(status)
    status.add_argument("-o", "--output", choices=("text", "json"), default="text")
    _check(commands.add_parser("check", help="the tutorial's eleven chapters, checked: 1 one fails, 3 not known"))
    workload_flags.add_commands(commands, _where, duration)
    drill_flags.add_command(commands, _where)
    _maintain(commands.add_parser("maintain", help="drain nodes one after another, and get each member back"))
    where = commands.add_parser("where", help="what is unfinished or cordoned, whose it is, and what to do: 3 if any")
    _where(where)
    where.add_argument("-o", "--output", choices=("text", "json"), default="text")
    _take_up(commands.add_parser("resume", help="go on with an unfinished run from where it stands"))
    _take_up(commands.add_parser("abort", help="end an unfinished run, and name what it leaves cordoned"))
    _probe(commands.add_parser("probe", help="what clients feel: a session at each member, reading all the while"))
    _runs(commands.add_parser("runs", help="past runs of this machine, and the report of each"))
    _demo_flags(commands.add_parser("demo", help="a live rehearsal cluster on this machine, with real ZooKeeper"))
    return top


class _Formatter(argparse.RawDescriptionHelpFormatter):
    pass


def _where(target: argparse.ArgumentParser, *, first: bool = False) -> None:
    """Flags that choose cluster and ensemble. A subcommand's own must not reset what stood before the command."""

    def flag(*names: str, **options: object) -> None:
        if not first:
            options["default"] = argparse.SUPPRESS
        target.add_argument(*names, **options)  # pyright: ignore[reportArgumentType]  # argparse's options by name

    flag("--kubeconfig", metavar="FILE", help="kubeconfig to use instead of KUBECONFIG or ~/.kube/config")
    flag("--context", metavar="NAME", help="kubeconfig context")
    flag("-n", "--namespace", metavar="NAME", help="namespace to look in (default: the context's)")
    flag("-A", "--all-namespaces", action="store_true", help="look in every namespace")
    flag("--ensemble", metavar="[NAMESPACE/]NAME", help="show this ensemble only")
    flag("--read-only", action="store_true", help="change nothing, whatever is typed")
    if first:
        flag("--theme", metavar="NAME", help="colour theme of the interactive program")


def _check(target: argparse.ArgumentParser) -> None:
    _where(target)
    target.add_argument("chapters", nargs="*", metavar="CHAPTER", help="number or name (default: all)")
    target.add_argument(
        "--writes",
        action="store_true",
        help="play sanity's round too, as naming that chapter does: it creates an ephemeral znode through each member, "
        "reads it through the others, and deletes it",
    )
    target.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _maintain(target: argparse.ArgumentParser) -> None:
    _where(target)
    target.add_argument("nodes", nargs="*", metavar="NODE")
    target.add_argument("-l", "--selector", default="", metavar="SELECTOR", help="also the nodes with these labels")
    carrying = "also every node that carries a member, and an empty one that has to take one since no other can"
    target.add_argument("--ensemble-nodes", action="store_true", help=carrying)
    target.add_argument("--plan", action="store_true", help="print the review and change nothing: 0 go, 3 no-go")
    target.add_argument("--explain", action="store_true", help="with --plan: every finding, landing, gate and step")
    target.add_argument("-y", "--yes", action="store_true", help="do not ask before beginning; no gate is skipped")
    target.add_argument("-o", "--output", choices=("text", "json", "jsonl"), default="text")
    target.add_argument("--note", default="", metavar="TEXT", help="why, for whoever looks at this run")
    target.add_argument(
        "--hold",
        type=_hold,
        metavar="ask|leave|SECONDS",
        help="once a node is drained: ask before uncordoning (default), leave it cordoned, or hold so long",
    )
    drain = target.add_argument_group("as kubectl drain has them")
    drain.add_argument("--grace-period", type=int, default=-1, metavar="SECONDS", help="-1: the pod's own")
    drain.add_argument("--timeout", type=duration, default=0.0, metavar="DURATION", help="for each pod; 0: no limit")
    drain.add_argument("--delete-emptydir-data", action="store_true")
    drain.add_argument("--ignore-daemonsets", action="store_true")
    drain.add_argument("--force", action="store_true", help="also pods that no controller makes again")
    drain.add_argument("--pod-selector", default="", metavar="SELECTOR")
    drain.add_argument("--skip-wait-for-delete-timeout", type=int, default=0, metavar="SECONDS")
    drain.add_argument(
        "--dry-run", choices=("none", "server", "client"), default="none", help="server and client are --plan"
    )
    drain.add_argument(
        "--chunk-size", type=int, default=500, metavar="N", help="taken and not needed: it is always 500"
    )
    drain.add_argument("--disable-eviction", action="store_true", help="refused: nothing is deleted past a budget")
    ours = target.add_argument_group("of zktui")
    ours.add_argument("--no-probe", action="store_true", help="no client sessions to tell what clients feel")
    ours.add_argument("--probe-writes", action="store_true", help="have them write too, to znodes of their own")
    ours.add_argument("--accept-outage", action="store_true", help="for ensembles of one or two voters")
    ours.add_argument("--spare", type=_not_negative, metavar="VOTERS", help="voters to keep beyond a majority")
    ours.add_argument(
        "--dwell", type=duration, metavar="DURATION", help="how long a member must be back (default: syncLimit)"
    )
    ours.add_argument(
        "--no-cordon-ahead", action="store_true", help="do not keep members off nodes that are drained later"
    )
    ours.add_argument(
        "--keep-node", action="store_true", help="ask autoscalers to spare a node while this run has it cordoned"
    )
    ours.add_argument(
        "--acknowledge", action="append", default=[], metavar="CODE", help="accept a finding that asks for it"
    )


def _take_up(target: argparse.ArgumentParser) -> None:
    _where(target)
    target.add_argument("run", nargs="?", default="", metavar="RUN", help="which one, where there are several")
    target.add_argument(
        "--take-over", default="", metavar="RUN", help="take it from its holder, once nobody renews its lease"
    )
    target.add_argument("-y", "--yes", action="store_true", help="do not ask before taking it up")
    target.add_argument("--hold", type=_hold, metavar="ask|leave|SECONDS", help="in place of the run's own")
    target.add_argument("-o", "--output", choices=("text", "jsonl"), default="text")


def _probe(target: argparse.ArgumentParser) -> None:
    _where(target)
    target.add_argument(
        "--for", type=duration, dest="seconds", metavar="DURATION", help="how long to look (default: until Ctrl-C)"
    )
    target.add_argument(
        "--writes", action="store_true", help="write too, each session to an ephemeral znode of its own in the root"
    )
    target.add_argument("-o", "--output", choices=("text", "jsonl"), default="text")


def _runs(target: argparse.ArgumentParser) -> None:
    target.add_argument("run", nargs="?", default="", metavar="RUN", help="its id or how that begins, or: last")
    target.add_argument("-o", "--output", choices=("text", "json", "jsonl"), default="text")


def _demo_flags(target: argparse.ArgumentParser) -> None:
    target.add_argument("--nodes", type=_positive, default=4)
    target.add_argument("--members", type=_not_negative, default=3)
    target.add_argument(
        "--sleeping", type=_not_negative, default=0, metavar="N", help="pods beside them that only seem to run"
    )
    target.add_argument(
        "--break",
        dest="breaking",
        metavar="WHAT[=TARGET]",
        help="break something in the demo that $KUBECONFIG or --write-kubeconfig leads to, such as kill-member=leader; "
        "`list` tells what there is, `nothing` makes all of it whole again",
    )
    target.add_argument(
        "--contain",
        choices=("auto", "namespaces", "emulation"),
        default="auto",
        help="what keeps a pod's processes from yours: Linux namespaces, or that its commands are played; "
        "auto (default) takes namespaces where this machine allows them",
    )
    target.add_argument("--keep", metavar="FOLDER", help="keep the cluster's state here, and begin with what is there")
    target.add_argument("--serve", action="store_true", help="only run the cluster, until Ctrl-C")
    target.add_argument("--write-kubeconfig", metavar="FILE", help="write the way to it here, until it ends")
    target.add_argument("--theme", metavar="NAME", default=argparse.SUPPRESS)
    target.add_argument("--read-only", action="store_true", default=argparse.SUPPRESS)


def _positive(text: str) -> int:
    number = _not_negative(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


_DURATION = re.compile(r"(?P<value>\d+(\.\d+)?)(?P<unit>ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds of a Go duration as kubectl takes it (`90s`, `5m`, `1h30m`), or of a bare number."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s, 5m or 1h30m")
    return sum(float(part["value"]) * _UNITS[part["unit"]] for part in parts)


def _hold(text: str) -> Hold:
    from zktui.maintenance.model import Hold, HoldKind  # noqa: PLC0415  # only maintain needs it

    if text in (HoldKind.ASK.value, HoldKind.LEAVE.value):
        return Hold(HoldKind(text))
    return Hold(HoldKind.SECONDS, duration(text))
