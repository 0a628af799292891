"""`zktui demo --break`: a rehearsal in trouble, as the program sees it. Each test leaves the ensemble whole."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import PODS, by_name, kubectl, needs_kubectl, whole
from tests.scenarios.stage import Stage, eventually
from zktui.demo.zookeeper import find_java

SLEEPER = """
public class Beside {
    public static void main(String[] words) throws Exception { Thread.sleep(600000); }
}
"""


def broken(stage: Stage, what: str, code: int = 0) -> str:
    ended = stage.zktui("demo", "--break", what)
    assert ended.code == code, ended
    return ended.out.strip() if code == 0 else ended.err.strip()


@pytest.fixture(autouse=True)
def mended(stage: Stage) -> Generator[None]:
    whole(stage)
    yield
    broken(stage, "nothing")
    whole(stage)


def role(stage: Stage, pod: str) -> str:
    return by_name(stage.status())[pod]["role"]


def test_the_leader_is_killed(stage: Stage) -> None:
    leader = stage.member("leader")["pod"]
    assert broken(stage, "kill-member=leader") == f"{leader} is killed"
    eventually("its restart", lambda: by_name(stage.status())[leader]["restarts"] >= 1, 30.0)


def test_a_frozen_leader_is_followed_by_another(stage: Stage) -> None:
    leader = stage.member("leader")["pod"]
    assert broken(stage, "freeze-member=leader") == f"{leader} is frozen"
    assert "frozen " + leader in broken(stage, "list")
    others = [pod for pod in ("zk-0", "zk-1", "zk-2") if pod != leader]
    eventually("another leader", lambda: "leader" in [role(stage, pod) for pod in others], 60.0)
    assert broken(stage, f"thaw-member={leader}") == f"{leader} goes on"


def test_a_member_that_is_cut_off_does_not_serve(stage: Stage) -> None:
    follower = stage.member("follower")["pod"]
    assert broken(stage, f"cut-member={follower}") == f"{follower} is cut off"
    eventually("it not to serve", lambda: role(stage, follower) not in ("leader", "follower"), 60.0)
    eventually("two to be left", lambda: stage.status()["quorum"]["serving"] == 2, 60.0)
    assert broken(stage, f"join-member={follower}") == f"{follower} is joined again"


def test_a_stopped_node_takes_its_member_along(stage: Stage, api: Api) -> None:
    member = stage.member("follower")
    pod, node = member["pod"], member["node"]
    assert f"{node} is stopped" in broken(stage, f"stop-node={node}")
    eventually("two to be left", lambda: stage.status()["quorum"]["serving"] == 2, 60.0)

    def ready() -> str:
        conditions = api.get(f"/api/v1/nodes/{node}")["status"]["conditions"]
        return next(one["status"] for one in conditions if one["type"] == "Ready")

    eventually("the node to be Unknown", lambda: ready() == "Unknown", 90.0)
    uid = api.get(f"{PODS}/{pod}")["metadata"]["uid"]
    assert f"{node} is started" in broken(stage, f"start-node={node}")
    eventually("the node to be Ready", lambda: ready() == "True", 60.0)
    assert api.get(f"{PODS}/{pod}")["metadata"]["uid"] == uid, "the same pod, started again"


def test_an_api_server_in_trouble(stage: Stage) -> None:
    assert broken(stage, "fail-api=600") == "the API server fails for 600 s"
    assert stage.zktui("status").code != 0
    assert broken(stage, "nothing") == "all is whole again"
    broken(stage, "restart-api=1")
    eventually("the API server to be back", lambda: stage.zktui("status").code == 0, 30.0)


def test_what_there_is_not_is_refused(stage: Stage) -> None:
    assert "nonsense is no fault of the rehearsal" in broken(stage, "nonsense", code=2)


def test_pkill_in_a_pod_ends_its_server_and_no_other_java(stage: Stage, tmp_path: Path) -> None:
    needs_kubectl()
    java = find_java()
    (tmp_path / "Beside.java").write_text(SLEEPER)
    beside = subprocess.Popen(
        [java, "-Xmx32m", "-XX:+UseSerialGC", str(tmp_path / "Beside.java")], stdin=subprocess.DEVNULL
    )
    try:
        before = {pod: member["restarts"] for pod, member in by_name(stage.status()).items()}
        assert kubectl(stage, "exec", "zk-1", "--", "pkill", "java") == ""
        eventually("zk-1's restart", lambda: by_name(stage.status())["zk-1"]["restarts"] > before["zk-1"], 60.0)
        assert kubectl(stage, "exec", "zk-1", "--", "sh", "-c", "pkill java") == ""
        eventually("its second", lambda: by_name(stage.status())["zk-1"]["restarts"] > before["zk-1"] + 1, 60.0)
        after = {pod: member["restarts"] for pod, member in by_name(whole(stage)).items()}
        assert {pod: after[pod] - before[pod] for pod in before} == {"zk-0": 0, "zk-1": 2, "zk-2": 0}
        assert beside.poll() is None, "a Java of the user's was ended"
        # Nor does a pod see it.
        assert "Beside" not in kubectl(stage, "exec", "zk-1", "--", "ps", "-ef")
    finally:
        beside.kill()
        beside.wait()
