"""What an eviction's reply means. Source: the table of replies in the rules of maintenance, seen on Kubernetes 1.37."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from zktui.core.ports import Answer, Evicted, Refused, Reply

_DENIED = re.compile(r"""admission webhook "([^"]+)" denied|ValidatingAdmissionPolicy '([^']+)' .*denied request""")
"""Whatever the code: a webhook chooses its own (400 to 599), and a policy's is 422, 403, 413 or 401."""
HINT = 10.0
"""Seconds: the server's own hint after a budget's refusal; it is 0 when the status is not current."""


def perhaps_done(reply: Reply[Any]) -> bool:
    """It may have been carried out: nobody answered, or a gateway did that may have passed it on (5xx)."""
    match reply:
        case Answer():
            return False
        case Refused(code=code):
            return code >= 500
        case _:
            return reply.sent


class Outcome(enum.StrEnum):
    GRANTED = "granted"
    """201: wait until the pod is absent or has another UID."""
    GONE = "gone"
    """404: read to be sure."""
    REPLAN = "replan"
    """409: the UID is another; the budget has been spent all the same."""
    CLOSED = "closed"
    """429 by the budget: wait for it to change."""
    THROTTLED = "throttled"
    """429 by anything else: wait for as long as it says."""
    HELD = "held"
    """Refused with a cause, or by an admission webhook or policy: told as it is, tried again later."""
    FORBIDDEN = "forbidden"
    """A permission is missing."""
    BROKEN = "broken"
    """500: more than one budget covers the pod."""
    UNKNOWN = "unknown"
    """Nobody knows: read first."""
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True)
class Judged:
    outcome: Outcome
    words: str
    wait: float = 0.0
    """Seconds before the next try, unless the budget changes first."""


def judge_reply(reply: Reply[Evicted], tries: int) -> Judged:
    """`tries` counts this one; the wait after a refusal doubles with it, from 1 s up to the server's hint."""
    backoff = min(HINT, 2.0 ** min(tries - 1, 5))
    match reply:
        case Answer(value=value, code=code):
            return Judged(Outcome.GRANTED, f"{code}{': ' + value.message if value.message else ''}")
        case Refused():
            return _judge_refusal(reply, backoff)
        case _:
            outcome = Outcome.UNKNOWN if reply.sent else Outcome.NOT_SENT
            return Judged(outcome, f"no answer: {reply.why}", 2.0 if reply.sent else backoff)


def _judge_refusal(reply: Refused, backoff: float) -> Judged:
    causes = "; ".join(f"{cause.message or cause.reason}" for cause in reply.causes)
    words = f"{reply.code}, {reply.message}{' ' + causes if causes and causes not in reply.message else ''}"
    denied = _DENIED.search(reply.message)
    if denied is not None:
        asked = reply.retry_after if reply.code == 429 else None
        return Judged(Outcome.HELD, f"denied by {denied[1] or denied[2]}: {words}", asked or 3 * HINT)
    match reply.code:
        case 404:
            return Judged(Outcome.GONE, words, 2.0)
        case 409:
            return Judged(Outcome.REPLAN, words, backoff)
        case 429 if reply.caused_by("DisruptionBudget"):
            return Judged(Outcome.CLOSED, words, max(backoff, reply.retry_after or 0.0))
        case 429:
            return Judged(Outcome.THROTTLED, words, reply.retry_after if reply.retry_after is not None else backoff)
        case 403 if reply.causes:
            return Judged(Outcome.HELD, words, HINT)
        case 403:
            return Judged(Outcome.FORBIDDEN, f"not permitted to create pods/eviction: {words}")
        case 500 if "more than one PodDisruptionBudget" in reply.message or "more than one" in causes:
            return Judged(Outcome.BROKEN, words, 3 * HINT)
        case code if code >= 500:
            # A gateway or an overloaded server may have passed it on: read first.
            return Judged(Outcome.UNKNOWN, words, backoff)
        case _:
            return Judged(Outcome.HELD, words, 3 * HINT)
