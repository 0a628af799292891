"""An ordinary client that writes all the while, and remembers what it was promised.

Kazoo as it comes: its own session time-out, its own way of finding another server. Every write makes a znode of its
own, so that each acknowledged one can be looked for at the end, through every member, after a sync.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

from tests.e2e.verdict import Writes

EVERY = 0.05
"""Seconds from one write to the next, as long as they are answered so fast."""
START_SECONDS = 30.0
CHECK_SECONDS = 30.0
PATIENCE = 60.0
"""Seconds after which a write without any outcome is given up; kazoo ends them all sooner."""
FAILURES = (KazooException, KazooTimeoutError)


class Writer:
    """Writes from `start` until `stop`. Hosts are `address:port`, as DNS would say them; they may change at any time.

    Raises what kazoo raises when no server can be reached at `start`.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self.root = f"/judge-{uuid.uuid4().hex[:12]}"
        # Kazoo ships no types.
        self._client: Any = KazooClient(hosts=",".join(hosts))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._acknowledged: list[tuple[float, str]] = []
        self._unanswered: list[str] = []

    def start(self) -> None:
        self._client.start(timeout=START_SECONDS)
        self._client.create(self.root)
        self._thread.start()

    def known(self, hosts: Iterable[str]) -> None:
        """What the ensemble's name resolves to from now on; the connection that there is stays."""
        if hosts := ",".join(hosts):
            self._client.set_hosts(hosts)

    @property
    def acknowledged(self) -> int:
        return len(self._acknowledged)

    def stop(self) -> None:
        """No more writes; returns when the last one has ended."""
        self._stopping.set()
        self._thread.join(PATIENCE)

    def _write(self) -> None:
        number = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            number += 1
            name = f"{number:08d}"
            try:
                self._client.create_async(f"{self.root}/{name}", b"").get(timeout=PATIENCE)
            except FAILURES:
                self._unanswered.append(name)
            else:
                self._acknowledged.append((time.monotonic(), name))
            self._stopping.wait(max(0.0, began + EVERY - time.monotonic()))

    def outcome(self, members: Mapping[str, str]) -> Writes:
        """Look for every acknowledged write through each member, then remove them all. Only after `stop`.

        `members` are names to `address:port`, which is empty for one that has no address.
        """
        promised = {name for _, name in self._acknowledged}
        lost: dict[str, Sequence[str]] = {}
        unchecked: list[str] = []
        for member, host in members.items():
            found = _children(host, self.root) if host else None
            if found is None:
                unchecked.append(member)
            else:
                lost[member] = sorted(promised - found)
        with contextlib.suppress(*FAILURES):
            self._remove()
        self._client.stop()
        self._client.close()
        gap, begins = self._longest_gap()
        return Writes(len(promised), len(self._unanswered), gap, begins, lost, tuple(unchecked))

    def _remove(self) -> None:
        # Each waited for with a limit: without one, kazoo waits as long as there is no server.
        names = self._client.get_children_async(self.root).get(timeout=CHECK_SECONDS)
        for removal in [self._client.delete_async(f"{self.root}/{name}") for name in names]:
            removal.get(timeout=CHECK_SECONDS)
        self._client.delete_async(self.root).get(timeout=CHECK_SECONDS)

    def _longest_gap(self) -> tuple[float, float]:
        """Its seconds, and when it began (monotonic)."""
        times = [at for at, _ in self._acknowledged]
        return max(((b - a, a) for a, b in itertools.pairwise(times)), default=(0.0, 0.0))


def _children(host: str, path: str) -> set[str] | None:
    """Of a znode, through this very member, once it has caught up with the leader; None when it can't be asked."""
    client: Any = KazooClient(hosts=host)
    try:
        client.start(timeout=CHECK_SECONDS)
        client.sync_async(path).get(timeout=CHECK_SECONDS)
        return set(client.get_children_async(path).get(timeout=CHECK_SECONDS))
    except NoNodeError:
        return set()
    except FAILURES:
        return None
    finally:
        client.stop()
        client.close()
