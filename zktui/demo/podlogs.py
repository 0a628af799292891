"""``pods/log``: the options of the query, and the bytes as the kubelet gives them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator

from aiohttp import web

from zktui.demo import errors
from zktui.demo.names import parse_time
from zktui.demo.objects import Object, child, children
from zktui.demo.requests import RequestInfo
from zktui.demo.runtime import LogOptions, PodRuntime


def container_of(pod: Object, wanted: str) -> str:
    """The container that a log or exec request means; 400 in Kubernetes' words when that isn't clear."""
    name = pod["metadata"]["name"]
    names: list[str] = [entry["name"] for entry in children(pod, "spec", "containers")]
    if wanted:
        if wanted not in names:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    default = child(pod, "metadata", "annotations").get("kubectl.kubernetes.io/default-container")
    if default in names:
        return default
    if len(names) > 1:
        choices = " ".join(names)
        raise errors.bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
    return names[0]


def check_host(pod: Object) -> None:
    """400 for a pod that no kubelet has."""
    if not child(pod, "spec").get("nodeName"):
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")


def log_options(info: RequestInfo, pod: Object) -> LogOptions:
    """``v1.PodLogOptions`` from the query; 400 or 422 for options that make no sense."""
    since, seconds = info.query.get("sinceTime"), info.integer("sinceSeconds")
    tail, limit = info.integer("tailLines"), info.integer("limitBytes")
    start = None
    if since:
        try:
            start = parse_time(since).timestamp()
        except ValueError:
            words = f'parsing time "{since}" as "2006-01-02T15:04:05Z07:00": cannot parse "{since}" as "2006"'
            raise errors.bad_request(words) from None
    elif seconds is not None:
        start = time.time() - seconds
    least = (("sinceSeconds", seconds, 1), ("tailLines", tail, 0), ("limitBytes", limit, 1))
    causes = [_too_little(field, value, floor) for field, value, floor in least if value is not None and value < floor]
    if since and seconds is not None:
        words = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(("[]", "FieldValueForbidden", words))
    if causes:
        raise errors.invalid("PodLogOptions", info.name, causes)
    return LogOptions(
        container=container_of(pod, info.query.get("container", "")),
        follow=info.flag("follow"),
        tail=tail,
        since=start,
        previous=info.flag("previous"),
        timestamps=info.flag("timestamps"),
        limit_bytes=limit,
    )


def _too_little(field: str, value: int, floor: int) -> tuple[str, str, str]:
    bound = "greater than 0" if floor else "greater than or equal to 0"
    return field, "FieldValueInvalid", f"Invalid value: {value}: must be {bound}"


async def serve_logs(request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime) -> web.StreamResponse:
    """Send the log; errors that come before its first bytes become the reply's status."""
    options = log_options(info, pod)
    if not child(pod, "spec").get("nodeName"):
        return web.Response(status=204)  # no kubelet to ask: an empty log, and no error
    chunks = runtime.logs(info.namespace, info.name, options)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    first = asyncio.ensure_future(anext(chunks, None))
    try:
        if options.follow:
            await asyncio.sleep(0)  # a refusal comes in the task's first step, instead of a log
            if first.done():
                first.result()
            # A follower is told at once that its log is open, though there may be nothing to say for long.
            await response.prepare(request)
        await _copy(request, response, first, chunks, options.limit_bytes)
    except ConnectionResetError:
        pass  # the client has read enough
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    return response


async def _copy(
    request: web.Request,
    response: web.StreamResponse,
    first: asyncio.Future[bytes | None],
    chunks: AsyncIterator[bytes],
    limit: int | None,
) -> None:
    """Write the chunks, up to ``limit`` bytes; the reply begins with the first of them, or at the end."""
    left, chunk = limit, await first
    while chunk is not None:
        if not response.prepared:
            await response.prepare(request)
        piece = chunk if left is None else chunk[:left]
        await response.write(piece)
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return
        chunk = await anext(chunks, None)
    if not response.prepared:
        await response.prepare(request)
