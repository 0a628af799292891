"""``pods/log``: the options of the query, and the bytes as the kubelet gives them."""

from __future__ import annotations

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


def log_options(info: RequestInfo, pod: Object) -> LogOptions:
    """``v1.PodLogOptions`` from the query; 400 or 422 for options that make no sense."""
    since, seconds = info.query.get("sinceTime"), info.integer("sinceSeconds")
    if since and seconds is not None:
        words = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        raise errors.invalid("PodLogOptions", info.name, [("", "FieldValueForbidden", words)])
    tail, limit = info.integer("tailLines"), info.integer("limitBytes")
    for field, value, least in (("tailLines", tail, 0), ("limitBytes", limit, 1)):
        if value is not None and value < least:
            words = f"Invalid value: {value}: must be greater than or equal to {least}"
            raise errors.invalid("PodLogOptions", info.name, [(field, "FieldValueInvalid", words)])
    start = None
    if since:
        try:
            start = parse_time(since).timestamp()
        except ValueError:
            raise errors.bad_request(f'parsing time "{since}": not an RFC 3339 time') from None
    elif seconds is not None:
        start = time.time() - seconds
    return LogOptions(
        container=container_of(pod, info.query.get("container", "")),
        follow=info.flag("follow"),
        tail=tail,
        since=start,
        previous=info.flag("previous"),
        timestamps=info.flag("timestamps"),
        limit_bytes=limit,
    )


async def serve_logs(request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime) -> web.StreamResponse:
    """Send the log; errors that come before its first bytes become the reply's status."""
    node = child(pod, "spec").get("nodeName")
    if not node:
        raise errors.bad_request(f"pod {info.name} does not have a host assigned")
    options = log_options(info, pod)
    chunks = runtime.logs(info.namespace, info.name, options)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    if options.follow:
        # A follower is told at once that its log is open, though there may be nothing to say for long.
        await response.prepare(request)
    try:
        await _copy(request, response, chunks, options.limit_bytes)
    except ConnectionResetError:
        pass  # the client has read enough
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    return response


async def _copy(
    request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes], limit: int | None
) -> None:
    """Write the chunks, up to ``limit`` bytes; the reply begins with the first of them, or at the end."""
    left = limit
    async for chunk in chunks:
        if not response.prepared:
            await response.prepare(request)
        piece = chunk if left is None else chunk[:left]
        await response.write(piece)
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return
    if not response.prepared:
        await response.prepare(request)
