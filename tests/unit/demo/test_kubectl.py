"""The real kubectl against the rehearsal server; skipped where there is none."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.stage import kubectl_program
from zktui.demo.cluster import CLIENT_SIDE, applied, manifest
from zktui.demo.fieldmanager import Manager
from zktui.demo.store import Store

KUBECTL = kubectl_program()
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on the PATH, and not built yet (make e2e)")

Kubectl = Callable[..., Coroutine[Any, Any, str]]
SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk-hs
  replicas: 3
  selector: {matchLabels: {app: zk}}
  template:
    metadata: {labels: {app: zk}}
    spec: {containers: [{name: zookeeper, image: "zookeeper:3.9"}]}
"""


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Kubectl:
    """``await kubectl(*args, code=0, stdin="")``: what it printed, both streams, once it ended with ``code``."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}

    async def kubectl(*args: str, code: int = 0, stdin: str = "", **variables: str) -> str:
        assert KUBECTL is not None
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *args,
            env=environment | variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == code, output.decode()
        return output.decode()

    return kubectl


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


async def test_get(kubectl: Kubectl) -> None:
    header, first, *_ = rows(await kubectl("get", "pods", "-o", "wide"))
    assert header[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert first[:4] == ["zk-0", "1/1", "Running", "0"]
    assert first[5:7] == ["127.0.0.1", "node-1"]
    pod = json.loads(await kubectl("get", "pod", "zk-1", "-o", "json"))
    assert pod["spec"]["nodeName"] == "node-2"
    budget = rows(await kubectl("get", "pdb", "zk-pdb"))[1]
    assert budget[:4] == ["zk-pdb", "N/A", "1", "1"]
    assert "zk-2" in await kubectl("get", "pods", "-A", "-l", "app=zk", "--chunk-size=1")


async def test_get_what_is_not_there(kubectl: Kubectl) -> None:
    output = await kubectl("get", "pod", "zk-9", code=1)
    assert output.strip() == 'Error from server (NotFound): pods "zk-9" not found'


async def test_watching(kubectl: Kubectl, store: Store) -> None:
    watching = asyncio.create_task(kubectl("get", "pods", "-w", "-o", "name", "--request-timeout=3s"))
    async with asyncio.timeout(20):
        # The watch is there once a change made now and then has been printed: the output is read at the end.
        number = 0
        while not watching.done():
            number += 1
            label = {"n": str(number)}
            store.change("pods", "default", "zk-1", lambda pod, new=label: pod["metadata"]["labels"].update(new))
            await asyncio.wait({watching}, timeout=0.1)
    assert watching.result().count("pod/zk-1") > 2


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("pod", "zk-0", ["Node:", "node-1", "State:", "Running", "QoS Class:", "BestEffort"]),
        ("node", "node-1", ["Unschedulable:", "Non-terminated Pods:", "zk-0"]),
        ("pdb", "zk-pdb", ["Max unavailable:", "Allowed disruptions:", "Desired:"]),
        ("sts", "zk", ["Update Strategy:", "RollingUpdate", "zookeeper:3.9"]),
    ],
)
async def test_describe(kubectl: Kubectl, kind: str, name: str, words: list[str]) -> None:
    if kind == "sts":
        await kubectl("apply", "-f", "-", stdin=SET)
    output = await kubectl("describe", kind, name)
    assert [word for word in words if word not in output] == []


async def test_apply_twice_and_scale(kubectl: Kubectl, store: Store) -> None:
    assert await kubectl("apply", "-f", "-", stdin=SET) == "statefulset.apps/zk created\n"
    assert await kubectl("apply", "-f", "-", stdin=SET) == "statefulset.apps/zk unchanged\n"
    changed = SET.replace("replicas: 3", "replicas: 5")
    assert await kubectl("apply", "-f", "-", stdin=changed) == "statefulset.apps/zk configured\n"
    assert store.get("statefulsets.apps", "default", "zk")["spec"]["replicas"] == 5
    assert await kubectl("scale", "sts", "zk", "--replicas=3") == "statefulset.apps/zk scaled\n"
    output = await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed)
    assert output == "statefulset.apps/zk serverside-applied\n"
    assert await kubectl("delete", "sts", "zk", "--wait=false") == 'statefulset.apps "zk" deleted\n'


async def test_edit(kubectl: Kubectl, store: Store) -> None:
    await kubectl("apply", "-f", "-", stdin=SET)
    edited = await kubectl("edit", "sts", "zk", KUBE_EDITOR="sed -i s/replicas:.3/replicas:\\ 4/")
    assert edited == "statefulset.apps/zk edited\n"
    assert store.get("statefulsets.apps", "default", "zk")["spec"]["replicas"] == 4
    cancelled = await kubectl("edit", "sts", "zk", KUBE_EDITOR="true")
    assert "Edit cancelled" in cancelled


async def test_delete_and_leave_its_pods(kubectl: Kubectl, store: Store) -> None:
    await kubectl("apply", "-f", "-", stdin=SET)
    owner = store.get("statefulsets.apps", "default", "zk")
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "zk", "uid": owner["metadata"]["uid"]}
    store.change("pods", "default", "zk-0", lambda pod: pod["metadata"].update(ownerReferences=[reference]))
    assert "deleted" in await kubectl("delete", "sts", "zk", "--cascade=orphan")
    assert (
        "ownerReferences" not in store.get("pods", "default", "zk-0")["metadata"]
        or not (store.get("pods", "default", "zk-0")["metadata"]["ownerReferences"])
    )


async def test_apply_of_a_list(kubectl: Kubectl) -> None:
    """For want of a kind List on any server kubectl asks for OpenAPI v2."""
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("a", "b")]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": maps})
    assert await kubectl("apply", "-f", "-", stdin=listed) == "configmap/a created\nconfigmap/b created\n"
    assert await kubectl("apply", "-f", "-", stdin=listed) == "configmap/a unchanged\nconfigmap/b unchanged\n"


async def test_applying_what_the_cluster_began_with_changes_nothing(kubectl: Kubectl, store: Store) -> None:
    scripts = next(one for one in manifest() if one["kind"] == "ConfigMap")
    store.create("configmaps", applied(scripts), manager=Manager(CLIENT_SIDE))
    assert await kubectl("apply", "-f", "-", stdin=json.dumps(scripts)) == "configmap/zk-scripts unchanged\n"


async def test_what_the_server_does_not_do_is_told(kubectl: Kubectl) -> None:
    refused = await kubectl("create", "deployment", "x", "--image=y", code=1)  # in protobuf
    assert "the server does not allow this method on the requested resource" in refused
    refused = await kubectl("get", "pods", "--as=bob", code=1)
    assert refused.startswith('Error from server (Forbidden): users "bob" is forbidden: User "zktui-demo" cannot imper')


async def test_explain(kubectl: Kubectl) -> None:
    output = await kubectl("explain", "sts.spec.template.spec.containers")
    assert output.startswith("GROUP:      apps\nKIND:       StatefulSet\nVERSION:    v1\n")
    assert "  livenessProbe\t<Probe>\n" in output
    assert "  name\t<string> -required-\n" in output
    assert 'error: field "nonsense" does not exist' in await kubectl("explain", "pdb.spec.nonsense", code=1)


async def test_what_kubectl_has_validated(kubectl: Kubectl) -> None:
    nonsense = SET.replace("replicas: 3", "replicas: 3\n  nonsense: 1")
    output = await kubectl("apply", "-f", "-", stdin=nonsense, code=1)
    assert 'strict decoding error: unknown field "spec.nonsense"' in output
    assert "created" in await kubectl("apply", "--validate=warn", "-f", "-", stdin=nonsense)
    wrong = await kubectl("apply", "-f", "-", stdin=SET.replace("replicas: 3", "replicas: three"), code=1)
    assert "cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32" in wrong


async def test_server_side_apply_and_diff(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert await kubectl(*apply, stdin=SET) == "statefulset.apps/zk serverside-applied\n"
    assert await kubectl("diff", "--server-side", "-f", "-", stdin=SET) == ""
    await kubectl("scale", "sts", "zk", "--replicas=5")
    refused = await kubectl(*apply, stdin=SET, code=1)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in refused
    shown = await kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=SET, code=1)
    assert {"-  replicas: 5", "+  replicas: 3"} <= set(shown.splitlines())
    assert await kubectl(*apply, "--force-conflicts", stdin=SET) == "statefulset.apps/zk serverside-applied\n"
    # From kubectl's own side to the server's and on.
    other = SET.replace("name: zk}", "name: zoo}")
    await kubectl("apply", "-f", "-", stdin=other)
    await kubectl(*apply, stdin=other)
    changed = other.replace("replicas: 3", "replicas: 4")
    assert await kubectl(*apply, stdin=changed) == "statefulset.apps/zoo serverside-applied\n"


async def test_the_tutorial_s_patch(kubectl: Kubectl, store: Store) -> None:
    resources = '{name: zookeeper, image: "zookeeper:3.9", resources: {requests: {cpu: "0.5"}}}'
    await kubectl("apply", "-f", "-", stdin=SET.replace('{name: zookeeper, image: "zookeeper:3.9"}', resources))
    path = "/spec/template/spec/containers/0/resources/requests/cpu"
    patch = json.dumps([{"op": "replace", "path": path, "value": "0.3"}])
    assert await kubectl("patch", "sts", "zk", "--type=json", f"-p={patch}") == "statefulset.apps/zk patched\n"
    template = store.get("statefulsets.apps", "default", "zk")["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "300m"


async def test_logs(kubectl: Kubectl, runtime: Any) -> None:
    assert await kubectl("logs", "zk-0", "--tail=2") == "line 98\nline 99\n"
    runtime.more.put_nowait(b"more\n")
    runtime.more.put_nowait(None)
    assert await kubectl("logs", "-f", "--tail=1", "zk-0") == "line 99\nmore\n"


async def test_exec(kubectl: Kubectl) -> None:
    assert await kubectl("exec", "zk-0", "--", "echo", "a", "b") == "a b\n"
    assert await kubectl("exec", "-i", "zk-0", "--", "cat", stdin="typed") == "typed"
    assert "command terminated with exit code 3" in await kubectl("exec", "zk-0", "--", "both", code=3)


OLD_WAYS = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
"""kubectl then speaks SPDY on the bare connection."""


async def test_exec_over_spdy(kubectl: Kubectl) -> None:
    assert await kubectl("exec", "zk-0", "--", "echo", "a", "b", **OLD_WAYS) == "a b\n"
    typed = "typed " * 20_000
    assert await kubectl("exec", "-i", "zk-0", "--", "cat", stdin=typed, **OLD_WAYS) == typed
    both = await kubectl("exec", "zk-0", "--", "both", code=3, **OLD_WAYS)
    assert {"out", "err", "command terminated with exit code 3"} == set(both.splitlines())


@pytest.mark.parametrize("ways", [{}, OLD_WAYS], ids=["within-a-websocket", "bare"])
async def test_port_forward(kubeconfig: Path, tmp_path: Path, ways: dict[str, str]) -> None:
    assert KUBECTL is not None

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    echo = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = echo.sockets[0].getsockname()[1]
    closed = await asyncio.start_server(answer, "127.0.0.1", 0)
    nobody = closed.sockets[0].getsockname()[1]
    closed.close()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig), **ways}
    process = await asyncio.create_subprocess_exec(
        *(KUBECTL, "port-forward", "--address=127.0.0.1", "pod/zk-0", f":{port}", f":{nobody}"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            lines = [(await process.stdout.readline()).decode() for _ in range(2)]
            local, dead = [int(line.split(" -> ")[0].rpartition(":")[2]) for line in lines]
            said = b"hello " * 50_000
            for _ in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", local)
                writer.write(said)
                writer.write_eof()
                assert await reader.read() == said.upper()
                writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", dead)
            assert await reader.read() == b""
            writer.close()
            told = (await process.stderr.readline()).decode()
            assert "an error occurred forwarding" in told
            assert f"dial tcp4 127.0.0.1:{nobody}: connect: connection refused" in told
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
        echo.close()


async def test_cordon_and_uncordon(kubectl: Kubectl) -> None:
    assert await kubectl("cordon", "node-1") == "node/node-1 cordoned\n"
    assert rows(await kubectl("get", "node", "node-1"))[1][1] == "Ready,SchedulingDisabled"
    assert await kubectl("uncordon", "node-1") == "node/node-1 uncordoned\n"
    assert rows(await kubectl("get", "node", "node-1"))[1][1] == "Ready"


async def kubelet(store: Store) -> None:
    """Remove dying pods, as a kubelet whose containers end at once."""
    changed = asyncio.Event()
    leave = store.on_change(lambda _type, _resource, _obj: changed.set())
    try:
        while True:
            changed.clear()
            for pod in store.list("pods")[0]:
                if "deletionTimestamp" in pod["metadata"]:
                    store.remove("pods", "default", pod["metadata"]["name"], pod["metadata"]["uid"])
            await changed.wait()
    finally:
        leave()


async def test_drain(kubectl: Kubectl, store: Store) -> None:
    removing = asyncio.create_task(kubelet(store))
    try:
        output = await kubectl("drain", "node-1", "--force", "--timeout=20s")
        assert "pod/zk-0 evicted" in output
        assert output.endswith("node/node-1 drained\n")
        # That spent the budget; no controller gives it back here.
        output = await kubectl("drain", "node-2", "--force", "--timeout=2s", code=1)
        assert "Cannot evict pod as it would violate the pod's disruption budget." in output
        assert store.find("pods", "default", "zk-1") is not None
        output = await kubectl("drain", "node-2", "--force", "--disable-eviction", "--timeout=20s")
        assert "pod/zk-1 deleted" in output
        assert await kubectl("delete", "pod", "zk-2") == 'pod "zk-2" deleted\n'
    finally:
        removing.cancel()
    assert store.list("pods")[0] == []


async def test_questions_about_oneself(kubectl: Kubectl, server: Any) -> None:
    question = ("auth", "can-i", "create", "pods", "--subresource=eviction")
    assert "yes" in await kubectl(*question)
    server.deny("create", "pods/eviction")
    assert "no" in await kubectl(*question, code=1)
    assert "zktui-demo" in await kubectl("auth", "whoami")
    assert await kubectl("create", "namespace", "other") == "namespace/other created\n"
