"""Startup, readiness and liveness probes by the rules of the kubelet's prober."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from zktui.demo import commands
from zktui.demo.container import Container
from zktui.demo.objects import Object, child, children
from zktui.demo.runtime import CannotStart

Report = Callable[[bool, bool, str], None]
"""Called after each try: (it succeeded, the threshold is reached, the failure's words)."""


async def probe(spec: Object, container: Container, report: Report) -> None:
    """Try for ever, every ``periodSeconds`` after ``initialDelaySeconds``; a slow try delays the next."""
    await asyncio.sleep(float(spec.get("initialDelaySeconds") or 0))
    needed = {True: int(spec.get("successThreshold") or 1), False: int(spec.get("failureThreshold") or 3)}
    clock = asyncio.get_running_loop().time
    last, run = None, 0
    while True:
        begun = clock()
        try:
            ok, words = await attempt(spec, container)
        except CannotStart as why:
            # The probe itself could not be made: that says nothing about the container, and is not counted.
            report(False, False, f"rpc error: code = Unknown desc = {why}")
            await asyncio.sleep(max(0.0, begun + float(spec.get("periodSeconds") or 10) - clock()))
            continue
        run = run + 1 if ok == last else 1
        last = ok
        report(ok, run >= needed[ok], words)
        await asyncio.sleep(max(0.0, begun + float(spec.get("periodSeconds") or 10) - clock()))


async def attempt(spec: Object, container: Container) -> tuple[bool, str]:
    """One try within ``timeoutSeconds``: (success, the kubelet's words for the failure)."""
    seconds = float(spec.get("timeoutSeconds") or 1)
    try:
        async with asyncio.timeout(seconds):
            return await _handler(spec, container)
    except TimeoutError:
        if spec.get("exec"):
            return False, f"command timed out: {children(spec, 'exec', 'command')} timed out after {seconds:g}s"
        return False, "context deadline exceeded"
    except OSError as why:
        return False, str(why)


async def _handler(spec: Object, container: Container) -> tuple[bool, str]:
    if spec.get("exec"):
        return await _exec(children(spec, "exec", "command"), container)
    if spec.get("tcpSocket"):
        _, writer = await asyncio.open_connection(container.ip, _port(child(spec, "tcpSocket").get("port"), container))
        writer.close()
        return True, ""
    if spec.get("httpGet"):
        return await _http(child(spec, "httpGet"), container)
    return False, "the rehearsal cluster knows exec, tcpSocket and httpGet probes"


async def _exec(command: list[str], container: Container) -> tuple[bool, str]:
    process = await commands.run(container, command)
    words = b"".join([chunk async for chunk in process.stdout] + [chunk async for chunk in process.stderr])
    code = await process.wait()
    return code == 0, words.decode("utf-8", "replace").strip() or f"command exited with {code}"


def _port(port: Any, container: Container) -> int:
    """A probe's port: a number, or the name of one of the container's ports."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    named = [entry for entry in children(container.spec, "ports") if entry.get("name") == port]
    return int(named[0]["containerPort"]) if named else 0


async def _http(get: Object, container: Container) -> tuple[bool, str]:
    port, path = _port(get.get("port"), container), get.get("path") or "/"
    reader, writer = await asyncio.open_connection(container.ip, port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {container.ip}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        status = (await reader.readline()).split()
    finally:
        writer.close()
    code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
    return 200 <= code < 400, f"HTTP probe failed with statuscode: {code}"
