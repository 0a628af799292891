"""The command line. Imports only what the chosen command needs."""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zktui.errors import EXIT_FAILED, EXIT_INTERRUPTED, UsageError, ZktuiError
from zktui.flags import as_kubectl, parser
from zktui.settings import Settings, state_folder

if TYPE_CHECKING:
    from zktui.headless.maintain import Request
    from zktui.headless.resume import Taking


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Prints no traceback for what a user or a server did."""
    arguments = parser().parse_args(as_kubectl(sys.argv[1:] if argv is None else argv))
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
        case "check":
            return wiring.run_check(settings, arguments.chapters, arguments.output, writes=arguments.writes)
        case "deploy":
            from zktui.workload_flags import deploy_request

            return wiring.run_deploy(settings, deploy_request(arguments))
        case "rollout" | "set-resources":
            from zktui.workload_flags import rollout_request

            return wiring.run_rollout(settings, rollout_request(arguments))
        case "drill":
            from zktui import drill_flags

            return wiring.run_drill(settings, drill_flags.request(arguments))
        case "maintain":
            return wiring.run_maintain(settings, _request(arguments))
        case "where":
            return wiring.run_where(settings, arguments.output)
        case "resume" | "abort":
            return wiring.run_take_up(settings, _taking(arguments))
        case "runs":
            from zktui.headless.runs import RunsRequest

            return wiring.run_runs(settings, RunsRequest(arguments.run, arguments.output))
        case "probe":
            from zktui.headless.probe import ProbeRequest

            return wiring.run_probe(settings, ProbeRequest(arguments.seconds, arguments.writes, arguments.output))
        case _:
            return wiring.run_interactive(settings)


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from zktui import wiring

    options = ["--nodes", str(arguments.nodes), "--members", str(arguments.members)]
    options += ["--sleeping", str(arguments.sleeping)]
    where = ["--write-kubeconfig", arguments.write_kubeconfig] if arguments.write_kubeconfig else []
    if arguments.breaking:
        return wiring.serve_demo(["--break", arguments.breaking, *where])
    options += ["--contain", arguments.contain, *where]
    if arguments.keep:
        options += ["--keep", arguments.keep]
    if arguments.serve:
        return wiring.serve_demo(["--serve", *options])
    return wiring.run_demo(settings, options)


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
    from zktui.maintenance.selectors import parse_selector

    if not (arguments.nodes or arguments.selector or arguments.ensemble_nodes):
        raise UsageError("No node was named.", "Name nodes, or give --selector or --ensemble-nodes.")
    if arguments.disable_eviction:
        why = "--disable-eviction deletes pods past their budgets, which zktui never does: nothing was changed."
        raise UsageError(why, "Leave it out; a gate that stays closed says what would open it.")
    for option in ("selector", "pod_selector"):
        try:
            parse_selector(getattr(arguments, option))
        except ValueError as error:
            raise UsageError(f"--{option.replace('_', '-')}: {error}.", "See kubectl get --show-labels.") from error
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
            probe=not arguments.no_probe,
            probe_writes=arguments.probe_writes,
            cordon_ahead=not arguments.no_cordon_ahead,
            keep_node=arguments.keep_node,
            acknowledged=frozenset(arguments.acknowledge),
        ),
        explain=arguments.explain,
        plan_only=arguments.plan or arguments.dry_run != "none",
        yes=arguments.yes,
        hold=arguments.hold,
        output=arguments.output,
        note=arguments.note,
    )


def _taking(arguments: argparse.Namespace) -> Taking:
    from zktui.headless.resume import Taking

    if arguments.run and arguments.take_over not in ("", arguments.run):
        raise UsageError("RUN and --take-over name different runs.", "Give one of them.")
    return Taking(
        run=arguments.take_over or arguments.run,
        typed=arguments.take_over,
        ending=arguments.command == "abort",
        yes=arguments.yes,
        hold=arguments.hold,
        output=arguments.output,
    )
