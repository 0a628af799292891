"""Applying by dry run first: what would happen, and how a conflict is told."""

from __future__ import annotations

from typing import Any

import pytest

from zktui.core.documents import Document
from zktui.core.ports import Answer, Cause, Refused, Reply, Unanswered, Where
from zktui.workload.deploying import Conflict, Verdict, apply, as_json, conflicts_in, keeping_claims, preview, title

SERVICE: Document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "zk-hs", "namespace": "default"}}
SET: Document = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "zk", "namespace": "default"},
    "spec": {
        "replicas": 3,
        "template": {"spec": {"containers": [{"name": "zk", "image": "zookeeper:3.9"}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "datadir"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
    },
}
FIELD = '.spec.template.spec.containers[name="zk"].image'
CAUSES = (Cause("FieldManagerConflict", 'conflict with "kubectl-edit" using apps/v1', FIELD),)
CONFLICT = Refused(409, "Conflict", "Apply failed with 1 conflict: …", 0.0, CAUSES)


class Api:
    """One object there or not, and what a dry run of applying answers."""

    def __init__(self, live: Document | None, reply: Reply[Document] | None = None) -> None:
        self.live, self.reply = live, reply
        self.sent: list[tuple[Document, bool, bool]] = []

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        return Answer(self.live, 0.0) if self.live is not None else Refused(404, "NotFound", "not found", 0.0)

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        self.sent.append((document, force, dry))
        return self.reply or Answer(document, 0.0)


async def look(api: Any, document: Document = SET, **options: Any) -> Any:
    (found,) = await preview(api, [document], **options)
    return found


async def test_what_is_new() -> None:
    api = Api(None)
    found = await look(api, SERVICE)
    assert (found.verdict, found.title, found.rolls) == (Verdict.CREATE, "service/zk-hs", False)
    assert [(force, dry) for _, force, dry in api.sent] == [(False, True)]


async def test_what_is_the_same() -> None:
    assert (await look(Api(SET))).verdict is Verdict.UNCHANGED


async def test_a_changed_template_replaces_members() -> None:
    spec: Any = SET["spec"]
    other = {**SET, "spec": {**spec, "template": {"spec": {"containers": [{"name": "zk", "image": "zookeeper:3.8"}]}}}}
    found = await look(Api(other))
    assert (found.verdict, found.rolls) == (Verdict.CONFIGURE, True)
    assert [d.lines() for d in found.differences] == [(f"{FIELD}: zookeeper:3.8 -> zookeeper:3.9",)]
    assert as_json(found)["replacesMembers"] is True


async def test_another_size_replaces_nobody() -> None:
    spec: Any = SET["spec"]
    found = await look(Api({**SET, "spec": {**spec, "replicas": 5}}))
    assert (found.verdict, found.rolls) == (Verdict.CONFIGURE, False)


async def test_a_conflict_is_told_by_field_and_manager() -> None:
    found = await look(Api(SET, CONFLICT))
    assert found.verdict is Verdict.CONFLICT
    assert not found.verdict.goes
    (conflict,) = found.conflicts
    assert (conflict.manager, conflict.field, conflict.ours) == ('"kubectl-edit" using apps/v1', FIELD, False)
    assert as_json(found)["conflicts"] == [{"manager": '"kubectl-edit" using apps/v1', "field": FIELD}]


def test_our_own_earlier_patch_is_known_as_such() -> None:
    assert Conflict('"zktui" using apps/v1', ".spec.replicas").ours
    assert not Conflict('"zktui-not" using apps/v1', ".spec.replicas").ours


def test_another_409_is_no_conflict_of_managers() -> None:
    assert conflicts_in(Refused(409, "Conflict", "the object has been modified", 0.0)) == ()


@pytest.mark.parametrize(
    ("reply", "verdict", "forbidden"),
    [
        (Refused(409, "Conflict", "the object has been modified", 0.0), Verdict.REFUSED, False),
        (Refused(422, "Invalid", "field is immutable", 0.0), Verdict.REFUSED, False),
        (Refused(403, "Forbidden", "not allowed", 0.0), Verdict.REFUSED, True),
        (Unanswered("cut", 0.0), Verdict.UNKNOWN, False),
    ],
)
async def test_what_does_not_go(reply: Any, verdict: Verdict, forbidden: bool) -> None:
    found = await look(Api(SET, reply))
    assert (found.verdict, found.forbidden, found.verdict.goes) == (verdict, forbidden, False)
    assert found.why


async def test_applying_is_no_dry_run() -> None:
    api: Any = Api(SET)
    assert (await apply(api, SET, force=True)).verdict is Verdict.UNCHANGED
    assert [(force, dry) for _, force, dry in api.sent] == [(True, False)]


def test_claim_templates_keep_the_server_s_defaults() -> None:
    spec: Any = SET["spec"]
    stored = [
        {
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "datadir"},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        }
    ]
    live = {**SET, "spec": {**spec, "volumeClaimTemplates": stored}}
    sent: Any = keeping_claims(SET, live)
    assert sent["spec"]["volumeClaimTemplates"] == stored
    other = {**SET, "spec": {**spec, "volumeClaimTemplates": [{"metadata": {"name": "other"}}]}}
    assert keeping_claims(other, live) is other
    assert keeping_claims(SERVICE, live) is SERVICE


def test_titles() -> None:
    assert (title(SERVICE), title(SET)) == ("service/zk-hs", "statefulset.apps/zk")
