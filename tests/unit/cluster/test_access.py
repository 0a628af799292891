from __future__ import annotations

import asyncio
import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.unit.cluster.apiserver import ApiServer, always, node, refusal
from tests.unit.cluster.conftest import QUICK
from zktui.cluster.connect import Connection, connect
from zktui.cluster.transport import Timeouts
from zktui.core.ports import Answer
from zktui.errors import ConnectionFailed, CredentialsRefused, UsageError, ZktuiError

Open = Callable[..., Connection]


def opened(path: str, context: str | None = None) -> Connection:
    return connect(path, context, timeouts=Timeouts(1, 1, 1), rhythm=QUICK)


def prepared(path: str) -> ZktuiError:
    """The error that `prepare` ends in."""
    connection = opened(path)
    try:
        with pytest.raises(ZktuiError) as caught:
            connection.prepare()
        return caught.value
    finally:
        connection.close()


def plugin(folder: Path, body: str) -> str:
    """A kubeconfig user whose credential plugin is this shell script."""
    script = folder / "plugin"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}}"


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(UsageError, match=r"no kubeconfig at .*none.*--kubeconfig"):
        connect()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b", "not valid YAML"),
        ("just words", "is not a kubeconfig"),
        ("- a\n- list", "is not a kubeconfig"),
        ("contexts: {a: b}", "is not a kubeconfig"),
        ("", "is not a kubeconfig"),
        ("kind: Config", "no current context"),
        ("current-context: gone", "a current context, gone, that it does not hold"),
    ],
)
def test_a_broken_kubeconfig(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        opened(str(file))


def test_an_unknown_context_lists_those_that_exist(server: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no context named prod\. Choose one with --context: here\."):
        opened(server.kubeconfig(tmp_path), "prod")


def test_several_files_are_merged_and_the_first_current_context_counts(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    first.write_text("current-context: here\ncontexts: []\n")
    merged = Path(server.kubeconfig(second))
    merged.write_text(merged.read_text().replace("current-context: here", "current-context: other"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(tmp_path / "missing"), str(merged)]))
    connection = connect(namespace="apps")
    assert (connection.place.context, connection.place.namespace) == ("here", "apps")
    connection.prepare()
    assert connection.version == "v1.37.2"
    connection.close()


def test_an_unreachable_server(server: ApiServer, tmp_path: Path) -> None:
    path = server.kubeconfig(tmp_path)
    server.stop()
    error = prepared(path)
    assert isinstance(error, ConnectionFailed)
    assert "refuses connections" in error.message
    assert "--context" in error.hint


def test_refused_credentials(server: ApiServer, tmp_path: Path) -> None:
    async def unauthorized(_: web.Request) -> web.StreamResponse:
        return refusal(401, "Unauthorized", "Unauthorized")

    server.on("GET", "/version", unauthorized)
    error = prepared(server.kubeconfig(tmp_path))
    assert isinstance(error, CredentialsRefused)
    assert "credentials of u (401)" in error.message


def test_something_else_than_an_api_server(server: ApiServer, tmp_path: Path) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>", content_type="text/html")

    server.on("GET", "/version", page)
    assert isinstance(prepared(server.kubeconfig(tmp_path)), ConnectionFailed)


def test_tls_with_a_server_that_speaks_none(server: ApiServer, tmp_path: Path) -> None:
    path = Path(server.kubeconfig(tmp_path))
    path.write_text(path.read_text().replace("http://", "https://"))
    error = prepared(str(path))
    assert isinstance(error, ConnectionFailed)
    assert "TLS" in error.message


def test_a_failing_plugin_says_so_and_writes_nothing_on_the_screen(
    server: ApiServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = list(logging.getLogger().handlers)
    path = server.kubeconfig(tmp_path, plugin(tmp_path, "echo 'please log in' >&2; exit 3"))
    error = prepared(path)
    assert isinstance(error, CredentialsRefused)
    assert "exit code 3: please log in" in error.message
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == before


def test_a_plugin_that_is_not_there(server: ApiServer, tmp_path: Path) -> None:
    error = prepared(server.kubeconfig(tmp_path, "{exec: {command: ./none, installHint: get it}}"))
    assert isinstance(error, UsageError)
    assert error.hint == "get it"


async def test_an_expired_token_is_renewed_once_for_everybody(server: ApiServer, tmp_path: Path) -> None:
    count = tmp_path / "count"
    expired = '{"status": {"token": "t\'$n\'", "expirationTimestamp": "2001-01-01T00:00:00Z"}}'
    script = f"echo x >> {count}; n=$(wc -l < {count}); echo '{expired}'"
    connection = opened(server.kubeconfig(tmp_path, plugin(tmp_path, script)))
    server.on("GET", "/api/v1/nodes/a", always(node("a")))
    connection.prepare()
    replies = await asyncio.gather(*(connection.cluster.node("a") for _ in range(8)))
    assert all(isinstance(reply, Answer) for reply in replies)
    # One for prepare, one since that is about to expire; then not again for each request.
    assert count.read_text().count("x") == 2
    assert {request.headers["Authorization"] for request in server.requests("/api/v1/nodes/a")} == {"Bearer t2"}
    connection.close()


async def test_a_401_loads_the_credentials_anew_and_asks_again(server: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer new":
            token.write_text("new")
            return refusal(401, "Unauthorized", "expired")
        return web.json_response(node("a"))

    server.on("GET", "/api/v1/nodes/a", handler)
    connection = opened(server.kubeconfig(tmp_path, f"{{tokenFile: '{token}'}}"))
    assert isinstance(await connection.cluster.node("a"), Answer)
    assert len(server.seen) == 2
    connection.close()


async def test_impersonation_is_passed_on(server: ApiServer, tmp_path: Path) -> None:
    connection = opened(server.kubeconfig(tmp_path, "{token: t, as: bob, as-groups: [a, b]}"))
    await connection.cluster.version()
    headers = server.seen[0].headers
    assert headers["Impersonate-User"] == "bob"
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    connection.close()


def test_the_demo_is_known_by_its_context(server: ApiServer, tmp_path: Path) -> None:
    path = Path(server.kubeconfig(tmp_path))
    path.write_text(path.read_text().replace("here", "zktui-demo"))
    assert opened(str(path)).place.demo


def test_no_key_stays_on_disk_and_no_thread_after_close(
    server: ApiServer, open_to: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    connection = open_to()
    connection.prepare()
    connection.close()
    assert [item for item in tmp_path.iterdir() if item.name.startswith(("zktui-", "tmp"))] == []
    assert not [thread for thread in threading.enumerate() if thread.name == "zktui-heartbeat"]
