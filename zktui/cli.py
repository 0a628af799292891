"""The command line. Imports only what the chosen command needs."""

from __future__ import annotations

import argparse
import os
import re
import select
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from zktui import __version__
from zktui.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, UsageError, ZktuiError
from zktui.settings import Settings, state_folder

if TYPE_CHECKING:
    from zktui.headless.maintain import Request
    from zktui.maintenance.model import Hold

DESCRIPTION = "Take a node down under a ZooKeeper ensemble on Kubernetes without losing quorum, and prove it."
EPILOG = """\
exit codes: 0 done, 1 failed, 2 usage or configuration, 3 blocked, unsafe or unknown, 4 not permitted,
130 interrupted. No cluster at hand? zktui demo starts a live one on this machine."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and how to get help, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Prints no traceback for what a user or a server did."""
    arguments = parser().parse_args(argv)
    try:
        return _run(arguments)
    except ZktuiError as error:
        sys.stderr.write(f"zktui: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("zktui: interrupted.\n")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told in one line
        if isinstance(error, BrokenPipeError) and _reader_gone():
            # Nothing is left to say to them; what stands in the buffer must not fail once more at the very end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            return EXIT_FAILED
        from zktui.faults import tell

        tell(error, state_folder())
        return EXIT_FAILED


STDOUT, STDERR = 1, 2


def _reader_gone() -> bool:
    """Whoever read our output has gone (`zktui status | head`). A pipe that broke may be any other, such as a socket.

    poll(2) tells of a pipe whose reading end is closed without being asked for any event.
    """
    poll = select.poll()
    poll.register(STDOUT, 0)
    poll.register(STDERR, 0)
    return any(what & (select.POLLERR | select.POLLHUP) for _, what in poll.poll(0))


def _run(arguments: argparse.Namespace) -> int:
    from zktui import wiring

    settings = _settings(arguments)
    match arguments.command:
        case "demo":
            return _demo(arguments, settings)
        case "status":
            return wiring.run_status(settings, arguments.output)
        case "maintain":
            return wiring.run_maintain(settings, _request(arguments))
        case _:
            return wiring.run_interactive(settings)


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from zktui import wiring

    options = ["--nodes", str(arguments.nodes), "--members", str(arguments.members)]
    if arguments.keep:
        options += ["--keep", arguments.keep]
    if arguments.serve:
        if arguments.write_kubeconfig:
            options += ["--write-kubeconfig", arguments.write_kubeconfig]
        return wiring.serve_demo(["--serve", *options])
    return wiring.run_demo(settings, options)


# --- flags ------------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The whole command line. Flags that say where may stand before or after the command."""
    top = _Parser(prog="zktui", description=DESCRIPTION, epilog=EPILOG, formatter_class=_Formatter)
    top.add_argument("--version", action="version", version=f"zktui {__version__}")
    _where(top, first=True)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    status = commands.add_parser("status", help="every ensemble, its quorum, members and budgets, once")
    _where(status)
    status.add_argument("-o", "--output", choices=("text", "json"), default="text")
    _maintain(commands.add_parser("maintain", help="drain nodes one after another, and get each member back"))
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


def _maintain(target: argparse.ArgumentParser) -> None:
    _where(target)
    target.add_argument("nodes", nargs="*", metavar="NODE")
    target.add_argument("-l", "--selector", default="", metavar="SELECTOR", help="also the nodes with these labels")
    target.add_argument("--ensemble-nodes", action="store_true", help="also every node that carries a member")
    target.add_argument("--plan", action="store_true", help="print the review and change nothing: 0 go, 3 no-go")
    target.add_argument("--explain", action="store_true", help="with --plan: every finding, landing, gate and step")
    target.add_argument("-y", "--yes", action="store_true", help="do not ask before beginning; no gate is skipped")
    target.add_argument("-o", "--output", choices=("text", "json", "jsonl"), default="text")
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
    ours = target.add_argument_group("of zktui")
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


def _demo_flags(target: argparse.ArgumentParser) -> None:
    target.add_argument("--nodes", type=_positive, default=4)
    target.add_argument("--members", type=_positive, default=3)
    target.add_argument("--keep", metavar="FOLDER", help="keep the cluster's state here, and begin with what is there")
    target.add_argument("--serve", action="store_true", help="only run the cluster, until Ctrl-C")
    target.add_argument("--write-kubeconfig", metavar="FILE", help="where to write the way to it (with --serve)")
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
    from zktui.maintenance.model import Hold, HoldKind

    if text in (HoldKind.ASK.value, HoldKind.LEAVE.value):
        return Hold(HoldKind(text))
    return Hold(HoldKind.SECONDS, duration(text))


def _settings(arguments: argparse.Namespace) -> Settings:
    given = vars(arguments)
    if given.get("all_namespaces") and given.get("namespace"):
        raise UsageError("--namespace and --all-namespaces contradict each other.", "Give one of them.")
    return Settings(
        kubeconfig=given.get("kubeconfig"),
        context=given.get("context"),
        namespace=given.get("namespace"),
        all_namespaces=bool(given.get("all_namespaces")),
        ensemble=given.get("ensemble"),
        read_only=bool(given.get("read_only")),
        theme=given.get("theme"),
        state=state_folder(),
    )


def _request(arguments: argparse.Namespace) -> Request:
    from zktui.headless.maintain import Request
    from zktui.maintenance.model import Options

    if not (arguments.nodes or arguments.selector or arguments.ensemble_nodes):
        raise UsageError("No node was named.", "Name nodes, or give --selector or --ensemble-nodes.")
    return Request(
        nodes=tuple(dict.fromkeys(arguments.nodes)),
        selector=arguments.selector,
        ensemble_nodes=arguments.ensemble_nodes,
        options=Options(
            grace_period=None if arguments.grace_period < 0 else arguments.grace_period,
            timeout=arguments.timeout,
            delete_emptydir_data=arguments.delete_emptydir_data,
            ignore_daemonsets=arguments.ignore_daemonsets,
            force=arguments.force,
            pod_selector=arguments.pod_selector,
            skip_wait_for_delete_timeout=arguments.skip_wait_for_delete_timeout,
            accept_outage=arguments.accept_outage,
            spare=arguments.spare,
            dwell=arguments.dwell,
            cordon_ahead=not arguments.no_cordon_ahead,
            keep_node=arguments.keep_node,
            acknowledged=frozenset(arguments.acknowledge),
        ),
        explain=arguments.explain,
        plan_only=arguments.plan,
        yes=arguments.yes,
        hold=arguments.hold,
        output=arguments.output,
    )
