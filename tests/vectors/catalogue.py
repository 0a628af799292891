"""All cases, and the files that hold what a real server answered to them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors import cases_eviction, cases_kubelet, cases_reading, cases_watching, cases_writing
from tests.vectors.wire import Case, Exchange

RECORDED = Path(__file__).parent / "recorded"
ON_NODES: dict[str, Case] = cases_kubelet.ON_NODES
CASES: dict[str, Case] = {
    **cases_eviction.CASES,
    **cases_reading.CASES,
    **cases_watching.CASES,
    **cases_writing.CASES,
    **cases_kubelet.CASES,
    **ON_NODES,
}


def load(case: str) -> list[Exchange]:
    """What was recorded of that case."""
    return json.loads((RECORDED / f"{case}.json").read_text())["exchanges"]


def reply(case: str, exchange: str) -> Exchange:
    """One recorded reply: status, headers, and body, text, events or messages."""
    return next(found["reply"] for found in load(case) if found["name"] == exchange)


def save(version: str, case: str, exchanges: list[Exchange]) -> None:
    RECORDED.mkdir(exist_ok=True)
    document = {"kubernetes": version, "exchanges": exchanges}
    (RECORDED / f"{case}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
