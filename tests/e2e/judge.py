"""``python -m tests.e2e.judge``: says from outside how an ensemble fared while something was done to it.

Knows nothing of zktui. Pods and the addresses that DNS would give come from two watches of kubectl; each member is
asked for its `srvr` ten times a second at its pod's address; an ordinary client writes all the while. Prints `judging`
once every member serves and the first write is acknowledged, goes on until its input ends (or Ctrl-C), waits until
every member serves again, looks for all that was acknowledged, and prints its verdict as JSON.

Exit codes: 0 judged, whatever the verdict; 1 there was nothing to judge, or SIGTERM ended it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from tests.e2e.verdict import Answer, Look, Verdict, judge
from tests.e2e.writer import FAILURES, Writer

EVERY = 0.1
"""Seconds between two looks at all members."""
SILENCE = 2.0
"""Seconds after which a member that has not answered counts as silent: a busy machine is no outage."""
BEGIN_SECONDS = 120.0
END_SECONDS = 120.0
"""For all members to serve: before judging begins, and after what was judged has ended."""
CLIENT_PORT = 2181
READY = "judging"

Object = dict[str, Any]


class Watched:
    """The objects of one kind as they are now, by `kubectl get --watch`, which is begun again whenever it ends."""

    def __init__(self, kubectl: str, arguments: list[str], changed: Callable[[], None]) -> None:
        self._command = [kubectl, "get", *arguments, "--watch", "--output-watch-events", "-o", "json"]
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self.objects: dict[str, Object] = {}

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=1 << 22,
            )
            try:
                assert process.stdout is not None
                await self._read(process.stdout)
            finally:
                self.kill()
                await process.wait()
            await asyncio.sleep(EVERY)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        # A new watch begins with all that there is, without saying where that ends; what went meanwhile is not told.
        before = dict(self.objects)
        asyncio.get_running_loop().call_later(SILENCE, self._forget, before)
        while line := await stream.readline():
            event = cast(Object, json.loads(line))
            name = str(event["object"]["metadata"]["name"])
            if event["type"] == "DELETED":
                self.objects.pop(name, None)
            else:
                self.objects[name] = event["object"]
            self._changed()

    def _forget(self, before: Mapping[str, Object]) -> None:
        """Drop what has not been told again since then."""
        for name, found in before.items():
            if self.objects.get(name) is found:
                del self.objects[name]


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    uid: str
    address: str
    """Empty as long as it has none."""


def pods(objects: Mapping[str, Object]) -> list[Pod]:
    return [
        Pod(name, str(found["metadata"]["uid"]), str(found.get("status", {}).get("podIP", "")))
        for name, found in sorted(objects.items())
    ]


def published(slices: Mapping[str, Object]) -> list[str]:
    """The addresses that DNS gives for a headless Service: of the endpoints that count as ready."""
    return [
        f"{address}:{CLIENT_PORT}"
        for found in slices.values()
        for endpoint in found.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


async def ask(address: str) -> tuple[str, int | None]:
    """Mode and epoch by `srvr`; the mode is empty when there is no answer that names one."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(SILENCE):
            reader, writer = await asyncio.open_connection(address, CLIENT_PORT)
            writer.write(b"srvr")
            text = (await reader.read()).decode(errors="replace")
    except (OSError, TimeoutError):
        return "", None
    finally:
        if writer is not None:
            writer.close()
    mode = re.search(r"^Mode: (.+)$", text, re.MULTILINE)
    zxid = re.search(r"^Zxid: 0x([0-9a-f]+)$", text, re.MULTILINE)
    return mode[1].strip() if mode else "", int(zxid[1], 16) >> 32 if zxid else None


class Judge:
    """One judgement of one ensemble of `members` voters."""

    def __init__(self, kubectl: str, where: list[str], selector: str, service: str, members: int) -> None:
        self._members = members
        self._pods = Watched(kubectl, ["pods", *where, "-l", selector], lambda: None)
        named = f"kubernetes.io/service-name={service}"
        self._slices = Watched(kubectl, ["endpointslices", *where, "-l", named], self._resolved)
        self._looks: list[Look] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._writer: Writer | None = None

    async def judge(self, begun: Callable[[], None], over: asyncio.Event) -> Verdict:
        """Calls `begun` when everything is watched; judges until `over` is set. Raises TimeoutError before that."""
        watching = [asyncio.create_task(w.follow()) for w in (self._pods, self._slices)]
        looking = asyncio.create_task(self._look_all_the_while())
        try:
            await self._whole(BEGIN_SECONDS)
            self._writer = Writer(published(self._slices.objects))
            await asyncio.to_thread(self._writer.start)
            await self._until(lambda: self._written, BEGIN_SECONDS)
            await self._whole(BEGIN_SECONDS)
            # The first look judged is one at a whole ensemble, however soon after this something is done to it.
            self._looks[:] = sorted(self._looks, key=lambda look: look.at)[-1:]
            begun()
            await over.wait()
            with contextlib.suppress(TimeoutError):
                await self._whole(END_SECONDS)
            await asyncio.to_thread(self._writer.stop)
            looking.cancel()
            await asyncio.gather(*self._asking)
            members = {pod.name: pod.address and f"{pod.address}:{CLIENT_PORT}" for pod in pods(self._pods.objects)}
            looks = sorted(self._looks, key=lambda look: look.at)
            writes = await asyncio.to_thread(self._writer.outcome, members)
        finally:
            for task in (looking, *watching, *self._asking):
                task.cancel()
            await asyncio.gather(looking, *watching, *self._asking, return_exceptions=True)
        return judge(looks, self._members, replace(writes, gap_begins=writes.gap_begins - looks[0].at))

    def give_up(self) -> None:
        """End this process now, without a verdict: kazoo's threads would be waited for otherwise."""
        for watched in (self._pods, self._slices):
            watched.kill()
        os._exit(1)

    @property
    def _written(self) -> bool:
        return self._writer is not None and self._writer.acknowledged > 0

    def _resolved(self) -> None:
        if self._writer is not None:
            self._writer.known(published(self._slices.objects))

    async def _whole(self, seconds: float) -> None:
        """Until every member has served in as many looks as a second has."""
        least = round(1 / EVERY)
        began = len(self._looks)

        def whole() -> bool:
            last = sorted(self._looks[began:], key=lambda look: look.at)[-least:]
            return len(last) == least and all(look.serving == self._members and look.leaders for look in last)

        await self._until(whole, seconds)

    async def _until(self, true: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110  true by what many tasks find, and looked at as often as they look
                await asyncio.sleep(EVERY)

    async def _look_all_the_while(self) -> None:
        """At even moments, without waiting for a look that takes long."""
        due = time.monotonic()
        while True:
            due = max(due + EVERY, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            task = asyncio.create_task(self._look(time.monotonic()))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _look(self, at: float) -> None:
        asked = pods(self._pods.objects)
        answers = await asyncio.gather(*(self._ask(pod) for pod in asked))
        self._looks.append(Look(at, {pod.name: answer for pod, answer in zip(asked, answers, strict=True)}))

    async def _ask(self, pod: Pod) -> Answer:
        if not pod.address:
            return Answer(pod.uid)
        return Answer(pod.uid, *await ask(pod.address))


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    # Kazoo tells of every connection; it goes where it does not stand between the words that are read.
    logging.basicConfig(filename=options.log, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    where = ["-n", options.namespace, *(["--kubeconfig", str(options.kubeconfig)] if options.kubeconfig else [])]
    one = Judge(options.kubectl, where, options.selector, options.service, options.members)
    try:
        verdict = asyncio.run(_until_input_ends(one))
    except (TimeoutError, *FAILURES) as why:
        sys.stderr.write(f"judge: no ensemble of {options.members} serving members to judge: {why}\n")
        return 1
    sys.stdout.write(json.dumps(verdict.document(), indent=1) + "\n")
    return 0


async def _until_input_ends(one: Judge) -> Verdict:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, over.set)
    loop.add_signal_handler(signal.SIGTERM, one.give_up)

    def read() -> None:
        sys.stdin.read()
        with contextlib.suppress(RuntimeError):  # the loop is closed: it is over already
            loop.call_soon_threadsafe(over.set)

    def begun() -> None:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        threading.Thread(target=read, daemon=True).start()

    return await one.judge(begun, over)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.judge", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--selector", default="app=zk", help="of the members' pods")
    parser.add_argument("--service", default="zk-hs", help="the headless Service whose name a client resolves")
    parser.add_argument("--members", type=int, default=3, help="voters")
    parser.add_argument("--log", type=Path, help="where the client's own log goes")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
