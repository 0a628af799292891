"""The maintenance's lease, held for a drill: while members are drained nobody breaks one on purpose, nor the reverse.

The same Lease and the same rules as `maintenance.claim`: released or absent, it is taken; held, it is taken only from
another drill, once it was seen unchanged for its whole duration by our own clock. A run that is unfinished is resumed
or ended first.
"""

from __future__ import annotations

from dataclasses import replace

from zktui.core.kube import Lease
from zktui.core.ports import Answer, Clock, Cluster, Refused, Reply
from zktui.maintenance.claim import LEASE_SECONDS, RENEW_EVERY, unfinished_in
from zktui.maintenance.model import LEASE_NAME
from zktui.maintenance.refusals import CannotBegin

LOOK_EVERY = 2.0
MARK = " (drill "
"""Stands in the holder of a drill's lease, between who it is and the drill's id."""


class Claim:
    """One namespace's lease. `lease` is what the server gave last; None when it is not ours."""

    def __init__(self, cluster: Cluster, clock: Clock, namespace: str, holder: str, drill: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._renewed = float("-inf")
        self.holder = f"{holder}{MARK}{drill})"
        self.lease: Lease | None = None

    async def take(self) -> None:
        """Raises CannotBegin when somebody holds it, when a run is unfinished, or when it can't be written."""
        current = await self._free()
        now = self._clock.wall()
        mine = Lease(
            self._namespace,
            LEASE_NAME,
            holder=self.holder,
            duration=LEASE_SECONDS,
            acquired_at=now,
            renewed_at=now,
        )
        if current is not None:
            mine = replace(
                mine,
                uid=current.uid,
                resource_version=current.resource_version,
                transitions=current.transitions + 1,
                annotations=current.annotations,
            )
        await self._write(mine)

    async def keep(self) -> None:
        """Renew it when it is time. Raises CannotBegin when it is not ours any more."""
        if self.lease is not None and self._clock.now() - self._renewed >= RENEW_EVERY:
            await self._write(replace(self.lease, renewed_at=self._clock.wall()))

    async def release(self) -> None:
        """Give it up. A failure is no matter: it expires."""
        if self.lease is not None:
            await self._cluster.update_lease(replace(self.lease, holder="", renewed_at=self._clock.wall()))
            self.lease = None

    async def _free(self) -> Lease | None:
        """The lease as it is now, once nobody holds it; None where there is none."""
        seen, since = "", self._clock.now()
        while True:
            reply = await self._cluster.lease(self._namespace, LEASE_NAME)
            if isinstance(reply, Refused) and reply.not_found:
                return None
            if not isinstance(reply, Answer):
                raise CannotBegin(
                    f"The lease in {self._namespace} can't be read: {_why(reply)}.", "Nothing was changed."
                )
            lease = reply.value
            if unfinished := unfinished_in(lease, ""):
                raise CannotBegin(f"Not now: {unfinished}.", "zktui where")
            if not lease.holder:
                return lease
            if MARK not in lease.holder or (seen and lease.resource_version != seen):
                raise CannotBegin(f"{lease.holder} holds the lease {lease.namespace}/{lease.name}.", "zktui where")
            seen = lease.resource_version
            if self._clock.now() - since >= (lease.duration or LEASE_SECONDS):
                return lease
            await self._clock.sleep(LOOK_EVERY)

    async def _write(self, lease: Lease) -> None:
        at = self._clock.now()
        reply = await (self._cluster.update_lease(lease) if lease.uid else self._cluster.create_lease(lease))
        if not isinstance(reply, Answer):
            self.lease = None
            raise CannotBegin(f"The lease in {self._namespace} can't be held: {_why(reply)}.", "zktui where")
        self.lease, self._renewed = reply.value, at


def _why(reply: Reply[Lease]) -> str:
    return reply.message if isinstance(reply, Refused) else getattr(reply, "why", "")
