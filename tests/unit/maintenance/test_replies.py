"""The table of an eviction's replies, row by row, and what the machine does on each."""

from __future__ import annotations

import pytest

from zktui.core.ports import Answer, Cause, Evicted, Refused, Reply, Unanswered
from zktui.maintenance.replies import Outcome, judge_reply

BUDGET = Cause("DisruptionBudget", "The disruption budget zk-pdb needs 2 healthy pods and has 2 currently")
WEBHOOK = 'admission webhook "drain.example.com" denied the request: my operator does it'
POLICY = "pods \"zk-0\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'all' denied request: not today"


@pytest.mark.parametrize(
    ("reply", "outcome", "words"),
    [
        (Answer(Evicted(), 0, 201), Outcome.GRANTED, "201"),
        (Refused(404, "NotFound", 'pods "zk-0" not found', 0), Outcome.GONE, "404"),
        (Refused(409, "Conflict", "the UID does not match", 0), Outcome.REPLAN, "409"),
        (Refused(429, "TooManyRequests", "Cannot evict pod", 0, (BUDGET,)), Outcome.CLOSED, "needs 2 healthy"),
        (Refused(429, "TooManyRequests", "slow down", 0, retry_after=7), Outcome.THROTTLED, "slow down"),
        (Refused(403, "Forbidden", "no", 0, (BUDGET,)), Outcome.HELD, "needs 2 healthy"),
        (Refused(403, "Forbidden", "no", 0, (Cause("NamespaceTerminating", "goes"),)), Outcome.HELD, "goes"),
        (Refused(403, "Forbidden", WEBHOOK, 0), Outcome.HELD, "denied by drain.example.com"),
        (Refused(400, "BadRequest", WEBHOOK, 0), Outcome.HELD, "denied by drain.example.com"),
        (Refused(429, "TooManyRequests", WEBHOOK, 0), Outcome.HELD, "denied by drain.example.com"),
        (Refused(500, "InternalError", WEBHOOK, 0), Outcome.HELD, "denied by drain.example.com"),
        (Refused(403, "Forbidden", POLICY, 0), Outcome.HELD, "denied by keep"),
        (Refused(422, "Invalid", POLICY, 0), Outcome.HELD, "denied by keep"),
        (Refused(403, "Forbidden", "cannot create", 0), Outcome.FORBIDDEN, "create pods/eviction"),
        (
            Refused(500, "InternalError", "This pod has more than one PodDisruptionBudget", 0),
            Outcome.BROKEN,
            "more than one",
        ),
        (Refused(503, "ServiceUnavailable", "down", 0), Outcome.UNKNOWN, "down"),
        (Unanswered("connection reset", 0), Outcome.UNKNOWN, "connection reset"),
        (Unanswered("refused", 0, sent=False), Outcome.NOT_SENT, "refused"),
    ],
)
def test_each_reply_means_what_the_table_says(reply: Reply[Evicted], outcome: Outcome, words: str) -> None:
    judged = judge_reply(reply, 1)
    assert judged.outcome is outcome
    assert words in judged.words


def test_retry_after_is_honoured_when_throttled() -> None:
    assert judge_reply(Refused(429, "TooManyRequests", "slow down", 0, retry_after=7), 1).wait == 7


def test_a_closed_budget_backs_off_within_bounds() -> None:
    waits = [judge_reply(Refused(429, "TooManyRequests", "no", 0, (BUDGET,)), n).wait for n in range(1, 9)]
    assert waits == sorted(waits) and waits[0] == 1 and waits[-1] == 10
