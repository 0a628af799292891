"""The tutorial's own lines, as they have to be typed for an ensemble that is not the tutorial's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import ensemble, healthy
from zktui.checks.byhand import for_ensemble
from zktui.checks.rules import judge
from zktui.core.labels import Selector

OTHER = ensemble(
    name="zoo", namespace="prod", replicas=5, service="zoo-headless", selector=Selector.of_labels({"app": "zoo"})
)


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("kubectl get sts zk -o yaml", "kubectl -n prod get sts zoo -o yaml"),
        (
            "for i in 0 1 2; do kubectl exec zk-$i -- hostname -f; done",
            "for i in 0 1 2 3 4; do kubectl -n prod exec zoo-$i -- hostname -f; done",
        ),
        (
            "kubectl exec zk-0 -- getent hosts zk-1.zk-hs",
            "kubectl -n prod exec zoo-0 -- getent hosts zoo-1.zoo-headless",
        ),
        ("kubectl get pods -w -l app=zk", "kubectl -n prod get pods -w -l 'app=zoo'"),
        ("kubectl get pdb zk-pdb", "kubectl -n prod get pdb zoo-pdb"),
        ("kubectl get svc zk-hs zk-cs", "kubectl -n prod get svc zoo-headless zoo-cs"),
        (
            "kubectl rollout status sts/zk; kubectl rollout history sts/zk",
            "kubectl -n prod rollout status sts/zoo; kubectl -n prod rollout history sts/zoo",
        ),
        (
            "kubectl exec zk-0 -- cat /opt/zookeeper/conf/zoo.cfg",
            "kubectl -n prod exec zoo-0 -- cat /opt/zookeeper/conf/zoo.cfg",
        ),
        ("", ""),
    ],
)
def test_another_ensemble(line: str, typed: str) -> None:
    assert for_ensemble(line, OTHER) == typed
    assert for_ensemble(line, ensemble()) == line


def test_every_check_has_them() -> None:
    own = judge(healthy()).checks
    for mine, other in zip(own, judge(replace(healthy(), ensemble=OTHER)).checks, strict=True):
        assert "zk-0" not in other.by_hand
        assert not mine.by_hand or "kubectl -n prod " in other.by_hand
