"""What is asked for, and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from zktui.core.heap import heap_of
from zktui.workload.resources import BadQuantity, Wish, objection, parse, patch


def container(heap: str = "--heap=512M", **resources: dict[str, str]) -> dict[str, Any]:
    return {"name": "zk", "command": ["sh", "-c", f"exec start-zookeeper {heap}"], "resources": resources}


def test_as_kubectl_takes_it_in_the_server_s_spelling() -> None:
    assert parse("cpu=0.3,memory=2048Mi") == {"cpu": "300m", "memory": "2Gi"}
    assert parse("") == {}


@pytest.mark.parametrize("given", ["cpu", "cpu=", "cpu=x", "disk=1Gi", "cpu=0", "memory=-1Gi", "cpu=1 memory=2"])
def test_no_amounts(given: str) -> None:
    with pytest.raises(BadQuantity):
        parse(given)


def test_the_patch_names_what_is_asked_for_only() -> None:
    assert patch("zk", Wish({"cpu": "300m"})) == {
        "spec": {"template": {"spec": {"containers": [{"name": "zk", "resources": {"requests": {"cpu": "300m"}}}]}}}
    }


@pytest.mark.parametrize(
    ("held", "wish", "words"),
    [
        (container(requests={"cpu": "500m"}), Wish({"cpu": "300m"}), ""),
        (container(requests={"memory": "1Gi"}), Wish(limits={"memory": "512Mi"}), "more than the limit of 512Mi"),
        (container(limits={"cpu": "1"}), Wish({"cpu": "2"}), "more than the limit of 1"),
        (container(), Wish({"memory": "256Mi"}, {"memory": "512Mi"}), "heap of 512 MiB does not fit"),
        (container(), Wish({"memory": "256Mi"}, {"memory": "1Gi"}), ""),
        (container(heap=""), Wish(limits={"memory": "64Mi"}), ""),
    ],
)
def test_objections(held: dict[str, Any], wish: Wish, words: str) -> None:
    found = objection(held, wish)
    assert (words in found) if words else not found


@pytest.mark.parametrize(
    ("command", "env", "mebibytes"),
    [
        (["java", "-Xms1g", "-Xmx1g", "-Xmx2G"], {}, 2048),
        (["start-zookeeper", "--heap=512M"], {}, 512),
        (["zkServer.sh"], {"ZK_SERVER_HEAP": "1000"}, 1000),
        (["zkServer.sh"], {"JVMFLAGS": "-Xmx768m", "ZK_SERVER_HEAP": "1000"}, 768),
        (["zkServer.sh"], {}, None),
    ],
)
def test_heaps(command: list[str], env: dict[str, str], mebibytes: int | None) -> None:
    found = heap_of(command, env)
    assert (None if found is None else found >> 20) == mebibytes
