"""What is different between two versions of an object."""

from __future__ import annotations

from typing import Any

import pytest

from zktui.workload.differences import Difference, differences


def template(image: str = "zookeeper:3.9", cpu: str = "500m", **more: Any) -> dict[str, Any]:
    container = {"name": "zk", "image": image, "resources": {"requests": {"cpu": cpu}}, **more}
    return {"spec": {"containers": [container]}}


def test_nothing() -> None:
    assert differences(template(), template()) == ()


def test_a_field_is_named_as_the_server_names_it() -> None:
    (found,) = differences(template(), template(cpu="300m"))
    assert found == Difference('.spec.containers[name="zk"].resources.requests.cpu', "500m", "300m")
    assert found.lines() == ('.spec.containers[name="zk"].resources.requests.cpu: 500m -> 300m',)


def test_items_are_told_apart_by_name_and_not_by_place() -> None:
    one = template(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    two = template(env=[{"name": "B", "value": "2"}, {"name": "C", "value": "3"}])
    assert [(d.path, d.before, d.after) for d in differences(one, two)] == [
        ('.spec.containers[name="zk"].env[name="A"].name', "A", None),
        ('.spec.containers[name="zk"].env[name="A"].value', "1", None),
        ('.spec.containers[name="zk"].env[name="C"].name', None, "C"),
        ('.spec.containers[name="zk"].env[name="C"].value', None, "3"),
    ]


def test_lists_of_words_are_one_value() -> None:
    (found,) = differences(template(command=["a", "b"]), template(command=["a"]))
    assert (found.before, found.after) == ('["a", "b"]', '["a"]')


def test_what_only_the_server_sets_is_left_out() -> None:
    one = {"metadata": {"generation": 1, "resourceVersion": "1", "labels": {"a": "b"}}, "status": {"replicas": 1}}
    two = {"metadata": {"generation": 2, "resourceVersion": "2", "labels": {"a": "c"}}, "status": {"replicas": 2}}
    assert [d.path for d in differences(one, two)] == [".metadata.labels.a"]


def test_something_new_and_something_removed() -> None:
    added, removed = differences({"data": {"old": "1"}}, {"data": {"new.key": "2"}})
    assert (added.lines(), removed.lines()) == ((".data.old: 1 (removed)",), ('.data["new.key"]: 2 (new)',))


def test_everything_is_new_where_nothing_was() -> None:
    assert [d.path for d in differences(None, template())] == [
        '.spec.containers[name="zk"].name',
        '.spec.containers[name="zk"].image',
        '.spec.containers[name="zk"].resources.requests.cpu',
    ]


def test_texts_of_several_lines_are_shown_as_a_diff() -> None:
    (found,) = differences({"data": {"script": "a\nb\nc\n"}}, {"data": {"script": "a\nB\nc\n"}})
    assert found.lines() == (".data.script", "    @@ -1,3 +1,3 @@", "     a", "    -b", "    +B", "     c")


@pytest.mark.parametrize("value", [0, False, ""])
def test_what_is_false_is_not_absent(value: object) -> None:
    (found,) = differences({"spec": {}}, {"spec": {"partition": value}})
    assert found.before is None
    assert found.after is not None
