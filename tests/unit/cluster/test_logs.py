from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from tests.unit.cluster.apiserver import ApiServer, always, cut, in_turn, refusal, streaming
from zktui.cluster.connect import Connection
from zktui.cluster.loglines import LogBlocks, since_time
from zktui.core.kube import PodKey
from zktui.core.logring import LogCursor, LogLine
from zktui.core.ports import LogBatch

Open = Callable[..., Connection]
KEY = PodKey("zoo", "zk-0", "uid-0")
POD = "/api/v1/namespaces/zoo/pods/zk-0"
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
ENDED = {"terminated": {"exitCode": 143, "reason": "Error"}}


def pod(state: dict[str, Any], uid: str = "uid-0") -> dict[str, Any]:
    status = {"phase": "Running", "containerStatuses": [{"name": "zk", "state": state}]}
    return {"metadata": {"name": "zk-0", "uid": uid}, "spec": {"containers": [{"name": "zk"}]}, "status": status}


def stamped(second: int, nano: int, text: str) -> bytes:
    return f"2026-01-01T00:00:{second:02d}.{nano:09d}Z {text}\n".encode()


async def follow(connection: Connection, cursor: LogCursor | None = None, lines: int = 10**9) -> list[LogBatch]:
    """Batches until the log ends or has told so many lines; closing ends the thread."""
    found: list[LogBatch] = []
    async with asyncio.timeout(10), aclosing(connection.logs.follow(KEY, "zk", cursor=cursor)) as batches:
        async for batch in batches:
            found.append(batch)
            if sum(len(item.lines) for item in found) >= lines:
                break
    async with asyncio.timeout(2):
        while any(thread.name == "zktui-log-zk-0" for thread in threading.enumerate()):  # noqa: ASYNC110 - a thread sets no event
            await asyncio.sleep(0.001)
    return found


def texts(batches: list[LogBatch]) -> list[str]:
    return [line.text for batch in batches for line in batch.lines]


async def test_a_cut_log_is_resumed_without_a_line_lost_or_repeated(server: ApiServer, open_to: Open) -> None:
    a, b, twin, c, d = (
        stamped(1, 1, "a"),
        stamped(2, 5, "b"),
        stamped(2, 5, "twin"),
        stamped(2, 6, "c"),
        stamped(3, 0, "d"),
    )
    first = streaming(a + b, twin + c[:12], then="cut")
    second = streaming(b + twin + c, d[:-1], then="end")
    server.on("GET", POD, in_turn(always(pod(RUNNING)), always(pod(RUNNING)), always(pod(ENDED))))
    server.on("GET", POD + "/log", in_turn(first, second))
    found = await follow(open_to())
    assert texts(found) == ["a", "b", "twin", "c", "d"]
    assert found[-1].ended == "container zk ended (Error, code 143)"
    assert found[-1].cursor == LogCursor("2026-01-01T00:00:03.000000000Z", 1)
    queries = [request.query for request in server.requests(POD + "/log")]
    assert (queries[0]["tailLines"], queries[0]["timestamps"]) == ("500", "true")
    assert queries[1]["sinceTime"] == "2026-01-01T00:00:02Z"
    assert "tailLines" not in queries[1]


async def test_an_orderly_end_while_the_container_runs_is_taken_up_again(server: ApiServer, open_to: Open) -> None:
    server.on("GET", POD, always(pod(RUNNING)))
    unfinished = streaming(stamped(1, 0, "a"), stamped(2, 0, "whole")[:-3], then="end")
    server.on("GET", POD + "/log", in_turn(unfinished, streaming(stamped(1, 0, "a"), stamped(2, 0, "whole"))))
    assert texts(await follow(open_to(), lines=2)) == ["a", "whole"]


async def test_the_log_ends_when_the_pod_is_gone_or_another(server: ApiServer, open_to: Open) -> None:
    server.on("GET", POD + "/log", streaming(stamped(1, 0, "a"), then="end"))
    server.on("GET", POD, in_turn(always(pod(RUNNING)), always(pod(RUNNING, "uid-1"))))
    found = await follow(open_to())
    assert texts(found) == ["a"]
    assert "another of its name" in found[-1].ended
    del server.routes["GET", POD]
    assert (await follow(open_to()))[-1].ended == "pod zk-0 is gone"


async def test_a_container_that_starts_late_is_waited_for(server: ApiServer, open_to: Open) -> None:
    async def waiting(_: object) -> Any:
        return refusal(400, "BadRequest", 'container "zk" in pod "zk-0" is waiting to start: ContainerCreating')

    creating = {"waiting": {"reason": "ContainerCreating"}}
    server.on("GET", POD, in_turn(always(pod(creating)), always(pod(creating)), always(pod(RUNNING))))
    server.on("GET", POD + "/log", in_turn(waiting, waiting, cut, cut, streaming(stamped(1, 0, "up"))))
    assert texts(await follow(open_to(), lines=1)) == ["up"]


async def test_without_permission_it_ends(server: ApiServer, open_to: Open) -> None:
    async def forbidden(_: object) -> Any:
        return refusal(403, "Forbidden", "pods/log is forbidden")

    server.on("GET", POD, always(pod(RUNNING)))
    server.on("GET", POD + "/log", forbidden)
    assert (await follow(open_to()))[-1].ended == "not permitted: pods/log is forbidden"


async def test_long_lines_and_bad_utf8_survive(server: ApiServer, open_to: Open) -> None:
    server.on("GET", POD, always(pod(RUNNING)))
    long, bad = "x" * 300_000, b"2026-01-01T00:00:02.000000001Z \xff\xfe ok\xc3\n"
    body = stamped(1, 0, long) + bad + b"unable to retrieve container logs\n" + stamped(3, 0, "\u2028a\x0bb\r")
    server.on("GET", POD + "/log", streaming(body))
    lines = [line for batch in await follow(open_to(), lines=4) for line in batch.lines]
    assert [line.text for line in lines] == [
        long,
        "\ufffd\ufffd ok\ufffd",
        "unable to retrieve container logs",
        "\u2028a\x0bb\r",
    ]
    assert lines[2].stamp == ""


async def test_a_slow_reader_holds_the_stream_back(server: ApiServer, open_to: Open) -> None:
    server.on("GET", POD, always(pod(RUNNING)))
    block = b"".join(stamped(1, 0, "y" * 100) for _ in range(500))
    server.on("GET", POD + "/log", streaming(*[block] * 400))
    assert len(texts(await follow(open_to(), lines=200_000))) == 200_000


def test_the_cursor_counts_lines_of_its_stamp_over_blocks() -> None:
    blocks = LogBlocks(KEY, None)
    blocks.feed(stamped(1, 7, "a") + stamped(1, 7, "b"))
    blocks.feed(stamped(1, 7, "c"))
    assert blocks.cursor == LogCursor("2026-01-01T00:00:01.000000007Z", 3)
    again = LogBlocks(KEY, blocks.cursor)
    told = again.feed(stamped(1, 6, "z") + b"".join(stamped(1, 7, text) for text in "abcd"))
    assert told == (LogLine("zk-0", "uid-0", "2026-01-01T00:00:01.000000007Z", "d"),)
    assert again.cursor == LogCursor("2026-01-01T00:00:01.000000007Z", 4)


def test_since_time_has_no_fraction_and_keeps_its_zone() -> None:
    assert since_time("2026-01-01T00:00:01.123456789+02:00") == "2026-01-01T00:00:01+02:00"
    assert since_time("2026-01-01T00:00:01Z") == "2026-01-01T00:00:01Z"
