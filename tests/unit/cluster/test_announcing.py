"""Events as they go over the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.unit.cluster.apiserver import ApiServer, always, cut, refusal
from zktui.cluster.connect import Connection
from zktui.core.ports import Answer, Notice, Refused, Unanswered

Open = Callable[..., Connection]
ON_NODE = Notice("v1", "Node", "", "node-1", "uid-1", "ZktuiCordoned", "cordoned for maintenance by ann")
ON_SET = Notice("apps/v1", "StatefulSet", "zoo", "zk", "uid-2", "ZktuiStopped", "x" * 3000, warning=True)


async def test_an_event_about_a_node_is_in_namespace_default(server: ApiServer, open_to: Open) -> None:
    server.on("POST", "/api/v1/namespaces/default/events", always({"metadata": {"name": "node-1.abc"}}, 201))
    reply = await open_to().announcer.announce(ON_NODE)
    assert isinstance(reply, Answer)
    assert reply.value == "node-1.abc"
    (body,) = server.bodies
    assert body["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "uid-1"}
    assert (body["reason"], body["message"], body["type"]) == ("ZktuiCordoned", ON_NODE.message, "Normal")
    assert body["source"] == {"component": "zktui"}
    assert body["metadata"]["name"].startswith("node-1.")
    assert body["firstTimestamp"] == body["lastTimestamp"]
    assert datetime.fromisoformat(body["firstTimestamp"]).utcoffset() is not None


async def test_one_about_a_stateful_set_is_in_its_own_and_no_longer_than_is_allowed(
    server: ApiServer, open_to: Open
) -> None:
    server.on("POST", "/api/v1/namespaces/zoo/events", always({"metadata": {"name": "zk.abc"}}, 201))
    assert isinstance(await open_to().announcer.announce(ON_SET), Answer)
    (body,) = server.bodies
    assert body["involvedObject"]["namespace"] == body["metadata"]["namespace"] == "zoo"
    assert (len(body["message"]), body["type"]) == (1024, "Warning")


async def test_each_has_a_name_of_its_own(server: ApiServer, open_to: Open) -> None:
    server.on("POST", "/api/v1/namespaces/default/events", always({"metadata": {"name": "a"}}, 201))
    announcer = open_to().announcer
    for _ in range(3):
        await announcer.announce(ON_NODE)
    assert len({body["metadata"]["name"] for body in server.bodies}) == 3


async def test_a_refusal_or_a_cut_is_an_outcome_and_it_is_sent_once(server: ApiServer, open_to: Open) -> None:
    async def forbidden(_: object) -> object:
        return refusal(403, "Forbidden", "events is forbidden")

    server.on("POST", "/api/v1/namespaces/default/events", forbidden)  # pyright: ignore[reportArgumentType]  # any request
    reply = await open_to().announcer.announce(ON_NODE)
    assert isinstance(reply, Refused) and reply.forbidden
    server.on("POST", "/api/v1/namespaces/default/events", cut)
    reply = await open_to().announcer.announce(ON_NODE)
    assert isinstance(reply, Unanswered)
    assert len(server.bodies) == 2
