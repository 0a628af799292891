"""What the first screen says while there is nothing to show: what happened, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from zktui.core.deltas import Kind
from zktui.core.ports import Place
from zktui.core.view import SourceState, View
from zktui.settings import Settings
from zktui.ui.theme import Tone

FIRST = (Kind.STATEFULSETS, Kind.PODS, Kind.NODES, Kind.BUDGETS)
"""Sources without which the first screen has nothing to show, the most telling first."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A sentence in place of the panes, with the lines below it that say what to do."""

    headline: str
    lines: tuple[str, ...]
    tone: Tone


def situation(view: View, place: Place, settings: Settings) -> Situation | None:
    """Why there is no ensemble to show; None when there is one."""
    if view.ensembles:
        return None
    denied = [k for k in FIRST if _state(view, k) is SourceState.DENIED]
    if Kind.STATEFULSETS in denied or Kind.PODS in denied:
        return _denied(view, denied, place, settings)
    lost = [k for k in FIRST if _state(view, k) is SourceState.STALE]
    if lost:
        return _unreachable(view, lost, place)
    if _state(view, Kind.STATEFULSETS) is not SourceState.LIVE:
        return _starting(view, place)
    return _none_found(place, settings)


def _state(view: View, kind: Kind) -> SourceState:
    fresh = view.sources.get(kind)
    return fresh.state if fresh is not None else SourceState.STARTING


def _where(place: Place, settings: Settings) -> str:
    return "in any namespace" if settings.all_namespaces else f"in namespace {place.namespace}"


def _denied(view: View, denied: list[Kind], place: Place, settings: Settings) -> Situation:
    names = " and ".join(kind.value for kind in denied)
    who = place.user or "This user"
    return Situation(
        f"{who} is not permitted to list {names} {_where(place, settings)}.",
        (
            *(view.sources[kind].why for kind in denied),
            "",
            "Ask for a role that may get, list and watch them, or look elsewhere: --namespace, --context.",
            "Nothing was changed.",
        ),
        Tone.BLOCKED,
    )


def _unreachable(view: View, lost: list[Kind], place: Place) -> Situation:
    # One cut tells of all of them: the reasons of the first source stand for the rest.
    return Situation(
        f"The API server {place.server} can't be reached.",
        (
            view.sources[lost[0]].why,
            "",
            "zktui keeps trying. Check the network, the VPN and the credentials, or choose another --context.",
            "Nothing was changed.",
        ),
        Tone.BLOCKED,
    )


def _starting(view: View, place: Place) -> Situation:
    waiting = [kind.value for kind in FIRST if _state(view, kind) is SourceState.STARTING]
    return Situation(
        f"Connecting to {place.context} …",
        (f"Waiting for {', '.join(waiting)} from {place.server}.",),
        Tone.DIM,
    )


def _none_found(place: Place, settings: Settings) -> Situation:
    if settings.ensemble is not None:
        headline = f"There is no ZooKeeper ensemble {settings.ensemble} {_where(place, settings)}."
    else:
        headline = f"There is no ZooKeeper ensemble {_where(place, settings)}."
    elsewhere = "Try another --context." if settings.all_namespaces else "Try -n NAMESPACE, or --all-namespaces."
    return Situation(
        headline,
        (
            "zktui looks for StatefulSets that run ZooKeeper: by image, command, ports and operators' labels.",
            f"{elsewhere} zktui keeps watching: an ensemble that appears is shown at once.",
        ),
        Tone.WAITING,
    )
