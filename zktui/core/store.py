"""The one owner of facts about the cluster: applies batches, hands out immutable views.

Synchronous and used from one event loop. Subscribers are woken by a flag and take the newest view when they like;
nothing is queued for them, so a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

from zktui.core.deltas import Alive, Batch, Configured, Delta, Fact, Kind, Lost, Polled, Remove, Reset, Upsert
from zktui.core.discovery import discover
from zktui.core.kube import Budget, Claim, Node, Pod, StatefulSet, Volume
from zktui.core.ports import Clock
from zktui.core.quorum import judge, members_of
from zktui.core.view import EnsembleView, Freshness, SourceState, View, covering
from zktui.core.zookeeper import Ensemble, EnsembleKey, MemberReport, ordinal

Rows = dict[str, Fact]


class Store:
    """Facts by kind and UID, the members' newest reports, and the views built from them."""

    def __init__(self, clock: Clock, only: Callable[[Ensemble], bool] | None = None) -> None:
        """`only` narrows which of the discovered ensembles are shown (--ensemble)."""
        self._clock = clock
        self._only = only
        self._rows: dict[Kind, Rows] = {kind: {} for kind in Kind}
        self._sources: dict[Kind, Freshness] = {}
        self._reports: dict[str, MemberReport] = {}
        self._configs: dict[EnsembleKey, Configured] = {}
        self._revision = 0
        self._view: View | None = None
        self._waiters: set[asyncio.Event] = set()

    @property
    def revision(self) -> int:
        return self._revision

    def apply(self, batch: Batch) -> None:
        """Apply a batch whole. Readers see the state before or after it, never between."""
        if not batch:
            return
        for delta in batch:
            self._apply(delta)
        self._revision += 1
        self._view = None
        for waiter in self._waiters:
            waiter.set()

    def view(self) -> View:
        """The newest view; built once for each revision and each reading's age of evidence (see `refreshed`)."""
        if self._view is None:
            self._view = self._build()
        return self._view

    def refreshed(self) -> View:
        """The newest facts judged at this very moment: evidence may have grown old since the last change."""
        self._view = None
        return self.view()

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[asyncio.Event]:
        """An event that is set after each applied batch; the reader clears it."""
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            yield event
        finally:
            self._waiters.discard(event)

    async def until(self, ready: Callable[[View], bool], timeout: float) -> View:
        """The first view for which `ready` holds. Raises TimeoutError after `timeout` seconds of the loop's time."""
        async with asyncio.timeout(timeout), self.changes() as changed:
            while not ready(view := self.view()):
                await changed.wait()
                changed.clear()
        return view

    def _apply(self, delta: Delta) -> None:
        match delta:
            case Reset(kind, items, seen_at):
                self._rows[kind] = {item.uid: item for item in items}
                self._heard(kind, seen_at)
            case Upsert(kind, item, seen_at):
                self._rows[kind][item.uid] = item
                self._heard(kind, seen_at)
            case Remove(kind, uid, seen_at):
                self._rows[kind].pop(uid, None)
                self._heard(kind, seen_at)
            case Alive(kind, seen_at):
                self._heard(kind, seen_at)
            case Lost():
                self._lose(delta)
            case Polled(_, reports, seen_at):
                self._reports.update((report.pod.uid, report) for report in reports)
                self._heard(Kind.MEMBERS, seen_at)
            case Configured(key, _, _, seen_at):
                self._configs[key] = self._kept_config(delta)
                self._heard(Kind.CONFIG, seen_at)
        if isinstance(delta, (Reset, Remove)) and delta.kind is Kind.PODS:
            self._forget_reports()

    def _kept_config(self, new: Configured) -> Configured:
        """A failed reading keeps the last configuration for the screen, with why it could not be read again."""
        old = self._configs.get(new.ensemble)
        if new.config is None and old is not None and old.config is not None:
            return replace(old, why=new.why)
        return new

    def _forget_reports(self) -> None:
        pods = self._rows[Kind.PODS]
        self._reports = {uid: report for uid, report in self._reports.items() if uid in pods}

    def _heard(self, kind: Kind, at: float) -> None:
        old = self._sources.get(kind)
        since = old.since if old is not None and old.state is SourceState.LIVE else at
        self._sources[kind] = Freshness(SourceState.LIVE, since, at)

    def _lose(self, lost: Lost) -> None:
        old = self._sources.get(lost.kind)
        state = SourceState.DENIED if lost.permanent else SourceState.STALE
        since = old.since if old is not None and old.state is state else lost.seen_at
        heard = old.heard_at if old is not None else float("-inf")
        self._sources[lost.kind] = Freshness(state, since, heard, lost.why)

    def _values(self, kind: Kind) -> Iterable[Fact]:
        return self._rows[kind].values()

    def _build(self) -> View:
        now = self._clock.now()
        statefulsets = cast(Iterable[StatefulSet], self._values(Kind.STATEFULSETS))
        budgets = tuple(sorted(cast(Iterable[Budget], self._values(Kind.BUDGETS)), key=lambda b: (b.namespace, b.name)))
        ensembles = [e for e in discover(statefulsets) if self._only is None or self._only(e)]
        by_owner: dict[str, list[Pod]] = {e.statefulset.uid: [] for e in ensembles}
        for pod in cast(Iterable[Pod], self._values(Kind.PODS)):
            if pod.owner is not None and pod.owner.uid in by_owner:
                by_owner[pod.owner.uid].append(pod)
        views = tuple(self._ensemble_view(e, by_owner[e.statefulset.uid], budgets, now) for e in ensembles)
        nodes = sorted(cast(Iterable[Node], self._values(Kind.NODES)), key=lambda node: natural(node.name))
        claims = cast(Iterable[Claim], self._values(Kind.CLAIMS))
        volumes = cast(Iterable[Volume], self._values(Kind.VOLUMES))
        return View(
            revision=self._revision,
            at=now,
            wall=self._clock.wall(),
            sources=dict(self._sources),
            ensembles=views,
            nodes=tuple(nodes),
            pods=tuple(m.pod for v in views for m in v.members),
            statefulsets=tuple(e.statefulset for e in ensembles),
            budgets=budgets,
            claims={(claim.namespace, claim.name): claim for claim in claims},
            volumes={volume.name: volume for volume in volumes},
        )

    def _ensemble_view(
        self, ensemble: Ensemble, pods: list[Pod], budgets: tuple[Budget, ...], now: float
    ) -> EnsembleView:
        ordered = sorted(pods, key=lambda pod: (ordinal(pod.name), pod.created_at or 0))
        configured = self._configs.get(ensemble.key)
        config = configured.config if configured else None
        members = members_of(ordered, self._reports, config)
        return EnsembleView(
            ensemble,
            members,
            judge(members, config, now),
            covering(budgets, tuple(ordered)),
            config,
            configured.why if configured else "",
        )


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key in which node-2 comes before node-10."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    text = ""
    for char in name:
        if char.isdecimal():
            if text:
                parts.append((1, text))
                text = ""
            digits += char
        else:
            if digits:
                parts.append((0, int(digits)))
                digits = ""
            text += char
    if digits:
        parts.append((0, int(digits)))
    if text:
        parts.append((1, text))
    return tuple(parts)
