"""Znodes written and read through chosen members, by way of the API server's port-forward."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zktui.cluster.connect import connect
from zktui.core.kube import PodKey
from zktui.ensemble.session import Session

PORT = 2181


class Znodes:
    """What a client of the ensemble would do; not zktui's own browser, which only reads."""

    def __init__(self, kubeconfig: Path) -> None:
        self._connection = connect(str(kubeconfig))

    def close(self) -> None:
        self._connection.close()

    def create(self, member: dict[str, Any], path: str, data: bytes) -> None:
        """Write through one member; acknowledged by a majority when this returns."""
        with self._session(member) as session:

            def request(client: Any) -> Any:
                return client.create_async(path, data)

            session.call(request, 10.0)

    def get(self, member: dict[str, Any], path: str) -> bytes:
        """Read through one member, after a sync with its leader."""
        with self._session(member) as session:
            session.call(lambda client: client.sync_async(path), 10.0)
            return session.call(lambda client: client.get_async(path), 10.0)[0]

    def children(self, member: dict[str, Any], path: str) -> list[str]:
        """Names of a znode's children, by one member after a sync with its leader."""
        with self._session(member) as session:
            session.call(lambda client: client.sync_async(path), 10.0)
            names, _ = session.call(lambda client: client.get_children_async(path, include_data=True), 10.0)
            return sorted(names)

    @contextmanager
    def _session(self, member: dict[str, Any]) -> Generator[Session]:
        pod = PodKey("default", str(member["pod"]), str(member["uid"]))
        session = Session(self._connection.dialer, pod, PORT)
        session.open(15.0)
        try:
            yield session
        finally:
            session.close(2.0)
