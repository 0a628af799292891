"""Requests to the API server as they go over the wire, for what a scenario sets up and for refusals word by word."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes
import kubernetes.stream as streaming

from tests.scenarios.stage import Ended, eventually
from zktui.cluster.access import Access

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


@dataclass(frozen=True)
class Reply:
    """A reply: HTTP code, headers by lower-case name, and the object or Status in it."""

    code: int
    headers: Mapping[str, str]
    body: Any

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(reason, message) of each cause of a Status."""
        return [(cause["reason"], cause["message"]) for cause in self.body.get("details", {}).get("causes", ())]


class Api:
    """One client with the credentials of a kubeconfig. Paths start with `/`; bodies and replies are JSON."""

    def __init__(self, kubeconfig: Path) -> None:
        self._access = Access.of(str(kubeconfig), None, None)
        self._access.prepare()
        self._kubeconfig = kubeconfig

    def close(self) -> None:
        self._access.close()

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Reply:
        """One request, never repeated."""
        headers = {**dict(self._access.headers()), "Accept": "application/json", "Content-Type": kind}
        sent = None if body is None else json.dumps(body).encode()
        answer = self._access.pool.request(
            method, self._access.server + path, body=sent, headers=headers, retries=False, timeout=30.0
        )
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, lower, json.loads(answer.data) if answer.data else None)

    def get(self, path: str) -> Any:
        return done(self.send("GET", path))

    def create(self, path: str, body: Any) -> Any:
        return done(self.send("POST", path, body))

    def patch(self, path: str, body: Any, kind: str = "merge") -> Any:
        return done(self.send("PATCH", path, body, PATCH_TYPES[kind]))

    def apply(self, path: str, body: Any, manager: str) -> Any:
        """Server-side apply, by force."""
        query = f"{path}?fieldManager={manager}&force=true"
        return done(self.send("PATCH", query, body, "application/apply-patch+yaml"))

    def watch(self, path: str, version: str, seconds: int) -> Generator[Any]:
        """Events of a list since a resourceVersion, for so long at most."""
        query = f"{path}?watch=true&resourceVersion={version}&timeoutSeconds={seconds}"
        headers = {**dict(self._access.headers()), "Accept": "application/json"}
        answer = self._access.pool.request(
            "GET",
            self._access.server + query,
            headers=headers,
            retries=False,
            timeout=seconds + 10.0,
            preload_content=False,
        )
        try:
            assert answer.status == 200, answer.status
            rest = b""
            for chunk in answer.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines)
        finally:
            answer.close()

    def delete(self, path: str, grace: int | None = None) -> None:
        """Ask for deletion; an object that is not there any more is no failure."""
        reply = self.send("DELETE", path, None if grace is None else {"gracePeriodSeconds": grace})
        assert reply.code in (200, 202, 404), reply

    def gone(self, path: str, deadline: float = 60.0) -> None:
        """Wait until the object is absent."""
        eventually(f"{path} to be gone", lambda: self.send("GET", path).code == 404, deadline)

    def evict(self, namespace: str, pod: str, uid: str | None = None, *, dry_run: bool = False) -> Reply:
        """POST one eviction; with `uid` as its precondition if that is given, as kubectl does without."""
        options: dict[str, Any] = {}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
            "deleteOptions": options,
        }
        query = "?dryRun=All" if dry_run else ""
        return self.send("POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction{query}", eviction)

    def exec(self, namespace: str, pod: str, *command: str, stdin: str | None = None) -> Ended:
        """Run a command in a pod's first container by the official Python client."""
        library: Any = kubernetes
        client: Any = library.config.new_client_from_config(str(self._kubeconfig))
        try:
            opening: Any = streaming
            socket: Any = opening.stream(
                library.client.CoreV1Api(client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(command),
                stdin=stdin is not None,
                stdout=True,
                stderr=True,
                _preload_content=False,
            )
            if stdin is not None:
                socket.write_stdin(stdin)
            try:
                socket.run_forever(timeout=30)
                out, err = socket.read_stdout(), socket.read_stderr()
                return Ended(int(socket.returncode), str(out or ""), str(err or ""))
            finally:
                socket.sock.shutdown()  # `close` leaves the connection open once the server has closed its side
        finally:
            client.close()


def done(reply: Reply) -> Any:
    """The object of a reply that must not be a refusal."""
    assert reply.code < 300, reply
    return reply.body
