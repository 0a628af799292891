"""The roles of manifests/rbac.yaml suffice for what they promise, and for no more: only a real server asks for them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from tests.e2e.stage import RealStage
from tests.scenarios.api import Api
from tests.scenarios.play import STATEFUL_SET, by_name, whole
from tests.scenarios.trouble import OnStage


@contextmanager
def somebody(stage: RealStage, role: str, *more: str) -> Generator[OnStage]:
    user = OnStage(stage, role, *more)
    try:
        yield user
    finally:
        user.close()


async def test_who_may_look_sees_all_and_changes_nothing(stage: RealStage) -> None:
    with somebody(stage, "zktui-view") as viewer:
        ended = await viewer.zktui("status", "-o", "json")
        assert ended.code == 0, ended
        document = ended.json()
        assert document["stale"] == []
        (ensemble,) = document["ensembles"]
        assert sorted(member["role"] for member in ensemble["members"]) == ["follower", "follower", "leader"]
        before = viewer.uids()
        refused = await viewer.zktui("maintain", viewer.node("zk-0"), "--yes")
        assert refused.code == 4, refused
        assert "not permitted: patch nodes" in refused.out + refused.err
        assert viewer.uids() == before and viewer.cordoned() == []


async def test_who_may_maintain_takes_a_node_down_and_up(stage: RealStage) -> None:
    follower = stage.member("follower")
    with somebody(stage, "zktui-maintain") as operator:
        ended = await operator.zktui("maintain", follower["node"], "--yes")
        assert ended.code == 0, ended
        assert "not permitted" not in ended.out + ended.err
    assert by_name(whole(stage))[follower["pod"]]["uid"] != follower["uid"]


async def test_who_may_deploy_rolls_an_update_out(stage: RealStage) -> None:
    before = by_name(whole(stage))
    api = Api(stage.kubeconfig)
    strategy = api.get(STATEFUL_SET)["spec"]["updateStrategy"]
    with somebody(stage, "zktui-maintain") as operator:
        refused = await operator.zktui("rollout", "restart", "zk", "--yes")
        assert refused.code == 4, refused
    with somebody(stage, "zktui-maintain", "zktui-deploy") as operator:
        shown = await operator.zktui("deploy", "--diff")
        assert shown.code == 0, shown
        told = await operator.zktui("rollout", "history", "zk")
        assert told.code == 0, told
        ended = await operator.zktui("rollout", "restart", "zk", "--yes", "--dwell", "1s")
        assert ended.code == 0, ended
    # A partition of 0 is left of it, by which kubectl chooses other words for an update that is complete.
    api.patch(STATEFUL_SET, [{"op": "replace", "path": "/spec/updateStrategy", "value": strategy}], "json")
    api.close()
    assert not {m["uid"] for m in before.values()} & {m["uid"] for m in whole(stage)["members"]}
