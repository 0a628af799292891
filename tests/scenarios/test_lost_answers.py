"""Answers of the API server that never arrive: what came of the change is read, and nothing is sent twice."""

from __future__ import annotations

import json
from pathlib import Path

from tests.scenarios.between import LOST, REPLY_LOST, RETRY_AFTER, THROTTLED, Between
from tests.scenarios.play import by_name, whole
from tests.scenarios.stage import Stage

CORDON = r"^PATCH /api/v1/nodes/"
EVICT = r"^POST /api/v1/namespaces/default/pods/[^/]+/eviction"
LEASE = r"^PUT /apis/coordination.k8s.io/"


def test_each_change_s_answer_is_lost_once(stage: Stage, folder: Path) -> None:
    """The eviction is throttled first, as by API priority and fairness; then granted, and nobody hears of it."""
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == "follower")
    fates = [(CORDON, REPLY_LOST), (EVICT, THROTTLED), (EVICT, REPLY_LOST), (CORDON, REPLY_LOST), (LEASE, LOST)]
    with Between(stage.kubeconfig, folder / "between", fates) as between:
        ended = stage.zktui(
            "maintain", victim["node"], "--yes", "--dwell", "2s", "-o", "jsonl", KUBECONFIG=str(between.kubeconfig)
        )

    assert ended.code == 0, ended
    assert between.fates == [], "all of it has happened"
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert (lines[-1]["status"], lines[-1]["cordoned"]) == ("done", [])
    assert len(between.came(CORDON)) == 2, "one cordon and one uncordon"
    assert len(between.came(EVICT)) == 2, "the one that was refused, and the one that was granted"
    sent = [line["time"] for line in lines if line["kind"] == "evict"]
    assert sent[1] - sent[0] >= RETRY_AFTER, "it waits for as long as it is told"
    told = [line["text"] for line in lines if line["kind"] in ("reply", "note")]
    assert any("429" in text and "try again later" in text for text in told), told
    assert any("is cordoned, by this run" in text for text in told), told
    after = by_name(whole(stage))
    moved = [name for name, member in by_name(before).items() if after[name]["uid"] != member["uid"]]
    assert moved == [victim["pod"]]
