"""Protobuf bodies, built here field by field as Kubernetes' clients build them."""

from __future__ import annotations

import pytest

from zktui.demo.errors import ApiError
from zktui.demo.protobuf import decode


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        digits = bytearray()
        value &= (1 << 64) - 1
        while value > 127:
            digits.append(128 | value & 127)
            value >>= 7
        return bytes([number << 3]) + bytes(digits) + bytes([value])
    return bytes([number << 3 | 2, len(value)]) + value


def body(kind: bytes, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, b"v1") + field(2, kind)) + field(2, raw)


def test_delete_options() -> None:
    raw = field(1, 300) + field(2, field(1, b"uid")) + field(3, 0) + field(4, b"Foreground") + field(5, b"All")
    assert decode(body(b"DeleteOptions", raw)) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 300,
        "preconditions": {"uid": "uid"},
        "orphanDependents": False,
        "propagationPolicy": "Foreground",
        "dryRun": ["All"],
    }


def budget(name: int, amount: bytes) -> bytes:
    expression = field(1, b"tier") + field(2, b"In") + field(3, b"a") + field(3, b"b")
    selector = field(1, field(1, b"app") + field(2, b"zk")) + field(2, expression)
    return field(1, field(1, b"zk-pdb")) + field(2, field(name, amount) + field(2, selector)) + field(3, field(1, 0))


@pytest.mark.parametrize(
    ("raw", "key", "amount"),
    [
        (budget(3, field(1, 0) + field(2, 1) + field(3, b"")), "maxUnavailable", 1),
        (budget(1, field(1, 1) + field(2, 0) + field(3, b"50%")), "minAvailable", "50%"),
    ],
)
def test_a_budget_as_kubectl_creates_it(raw: bytes, key: str, amount: int | str) -> None:
    assert decode(body(b"PodDisruptionBudget", raw))["spec"] == {
        key: amount,
        "selector": {
            "matchLabels": {"app": "zk"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
        },
    }


def test_a_config_map_as_kubectl_creates_it() -> None:
    raw = field(1, field(1, b"zk-dns")) + field(2, field(1, b"dns.security") + field(2, b"a.b=0"))
    found = decode(body(b"ConfigMap", raw))
    assert (found["metadata"], found["data"]) == ({"name": "zk-dns"}, {"dns.security": "a.b=0"})


def test_a_number_below_zero() -> None:
    assert decode(body(b"DeleteOptions", field(1, -1)))["gracePeriodSeconds"] == -1


def test_maps_and_fields_that_are_not_known() -> None:
    label = field(11, field(1, b"a") + field(2, b"b"))
    raw = field(1, field(1, b"name") + label + field(9, b"ignored"))
    assert decode(body(b"Namespace", raw))["metadata"] == {"name": "name", "labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00", 400),
        (b"k8s\x00\x0a\xff", 400),
        (body(b"Namespace", b"\x0a\x7fshort"), 400),
        (body(b"Namespace", b"\x0d1234"), 400),
        (body(b"Deployment", b""), 415),
    ],
)
def test_bodies_that_are_refused(raw: bytes, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        decode(raw)
    assert caught.value.code == code
