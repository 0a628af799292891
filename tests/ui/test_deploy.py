"""Deploying from the command palette: the form, what would be made, what stands in the way, and the applying."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.ui.fakes import World
from tests.ui.pilots import main_screen, painted, screen_text, until
from tests.unit.core.facts import statefulset
from tests.unit.workload import world as workload
from zktui.core.documents import Document, text
from zktui.core.kube import Container, PodSpec, StatefulSet
from zktui.core.ports import Answer, Cause, Refused, Reply, Where
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.deploywork import Deployment
from zktui.ui.screens.deployform import DeployForm, wanted_of
from zktui.ui.screens.work import WorkScreen
from zktui.workload.manifest import Wanted

WANTED = Wanted("default", "zk", 3)


class Api:
    """Nothing is there; what is applied is kept, but for what is refused."""

    def __init__(self, refused: Refused | None = None) -> None:
        self.refused = refused
        self.applied: list[str] = []

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        return Refused(404, "NotFound", "not found", 0.0)

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        if self.refused is not None and where.plural == "poddisruptionbudgets":
            return self.refused
        if not dry:
            self.applied.append(text(document, "metadata", "name"))
        return Answer(document, 0.0, 201)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return World().session(tmp_path)


def over(session: Session, api: Api) -> Session:
    """A session on a StatefulSet world in which that of this name comes up by itself."""
    ports = workload.World().ports()
    fields: dict[str, Any] = {"cluster": ports.cluster, "members": ports.members, "clock": ports.clock}
    return replace(session, objects=cast(Any, api), **fields)


async def test_what_would_be_made_and_then_made(session: Session) -> None:
    api = Api()
    work = Deployment(over(session, api), WANTED)
    prepared = await work.prepare()
    assert prepared.may_begin
    assert api.applied == []
    said: list[str] = []
    ending = await work.carry_out("", lambda _, line: said.append(line))
    assert ending.done, ending
    assert api.applied == ["zk-hs", "zk-cs", "zk-pdb", "zk-scripts", "zk"]
    assert said[0] == "service/zk-hs created"
    assert ending.text.startswith("zk is in quorum: 3 members, leader zk-2")


async def test_another_s_field_stands_in_the_way(session: Session) -> None:
    causes = (Cause("FieldManagerConflict", 'conflict with "somebody"', ".spec.maxUnavailable"),)
    api = Api(Refused(409, "Conflict", "Apply failed", 0.0, causes))
    prepared = await Deployment(over(session, api), WANTED).prepare()
    assert not prepared.may_begin
    assert prepared.obstacles == (
        'poddisruptionbudget.policy/zk-pdb: .spec.maxUnavailable is set otherwise by "somebody"',
    )


async def test_another_size_and_read_only(session: Session, tmp_path: Path) -> None:
    prepared = await Deployment(over(session, Api()), replace(WANTED, members=5)).prepare()
    assert not prepared.may_begin
    assert "with 3 members" in prepared.obstacles[0]
    closed = World().session(tmp_path / "closed", read_only=True)
    prepared = await Deployment(over(closed, Api()), WANTED).prepare()
    assert (prepared.may_begin, prepared.obstacles) == (False, ("zktui is read-only here",))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "Zoo!", "small letters"),
        ("members", "4", "is odd"),
        ("members", "x", "is odd"),
        ("size", "big", "big"),
        ("size", "10", "too small for a volume"),
        ("class", "fast disk", "no name of a storage class"),
        ("image", "zookeeper 3.9", "no image"),
    ],
)
def test_what_can_t_be_deployed(field: str, value: str, words: str) -> None:
    given = {"name": "", "members": "", "size": "", "class": "", "image": ""}
    assert wanted_of("default", given) == Wanted("default", "zk", 3)
    assert words in str(wanted_of("default", {**given, field: value}))


async def test_a_statefulset_of_something_else_is_left_alone(session: Session) -> None:
    class Databases:
        async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
            template = PodSpec(containers=(Container("db", "postgres:17"),))
            return Answer(statefulset(name, namespace=namespace, labels={}, template_labels={}, template=template), 0.0)

    other = replace(over(session, Api()), cluster=cast(Any, Databases()))
    prepared = await Deployment(other, WANTED).prepare()
    assert (prepared.may_begin, prepared.obstacles) == (
        False,
        ("StatefulSet zk is there, and does not run ZooKeeper: choose another name",),
    )


async def test_the_palette_opens_the_form_and_then_what_would_be_made(session: Session) -> None:
    async with ZktuiApp(replace(session, objects=cast(Any, Api()))).run_test(size=(120, 36)) as pilot:
        await painted(pilot)
        commands = {c.title: c for c in main_screen(pilot).commands()}
        commands["Deploy an ensemble"].callback()
        await until(pilot, lambda: isinstance(pilot.app.screen, DeployForm))
        await pilot.press("tab", "4", "enter")
        await until(pilot, lambda: "✗ the number of members is odd" in screen_text(pilot))
        await pilot.press("backspace", "3", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkScreen))
        await until(pilot, lambda: "+ statefulset.apps/zk" in screen_text(pilot))
