from __future__ import annotations

import pytest

from zktui.core.kube import Taint, Toleration
from zktui.core.labels import Requirement, Selector


@pytest.mark.parametrize(
    ("requirement", "labels", "matches"),
    [
        (Requirement("app", "In", ("zk", "zookeeper")), {"app": "zk"}, True),
        (Requirement("app", "In", ("zk",)), {}, False),
        (Requirement("app", "NotIn", ("zk",)), {}, True),
        (Requirement("app", "NotIn", ("zk",)), {"app": "zk"}, False),
        (Requirement("app", "Exists"), {"app": ""}, True),
        (Requirement("app", "DoesNotExist"), {"app": ""}, False),
        (Requirement("cpus", "Gt", ("4",)), {"cpus": "8"}, True),
        (Requirement("cpus", "Gt", ("4",)), {"cpus": "many"}, False),
        (Requirement("cpus", "Lt", ()), {"cpus": "1"}, False),
        (Requirement("app", "Resembles", ("zk",)), {"app": "zk"}, False),
    ],
)
def test_one_requirement(requirement: Requirement, labels: dict[str, str], matches: bool) -> None:
    assert requirement.matches(labels) is matches


def test_an_empty_selector_matches_everything() -> None:
    assert Selector().matches({})
    assert Selector.of_labels({}).matches({"any": "thing"})


def test_a_selector_reads_as_kubectl_takes_it() -> None:
    selector = Selector(
        (
            Requirement("app", "In", ("zk",)),
            Requirement("tier", "In", ("a", "b")),
            Requirement("x", "NotIn", ("y",)),
            Requirement("has", "Exists"),
            Requirement("not", "DoesNotExist"),
        )
    )
    assert str(selector) == "app=zk,tier in (a,b),x notin (y),has,!not"


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration("dedicated", "Equal", "zk", "NoSchedule"), True),
        (Toleration("dedicated", "Equal", "zk"), True),
        (Toleration("dedicated", "Exists", "", "NoExecute"), False),
        (Toleration("dedicated", "Equal", "kafka"), False),
        (Toleration("", "Equal", "zk"), False),
    ],
)
def test_tolerations_as_the_scheduler_judges_them(toleration: Toleration, tolerated: bool) -> None:
    assert toleration.tolerates(Taint("dedicated", "NoSchedule", "zk")) is tolerated
