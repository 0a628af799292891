"""The rehearsal's own requests, beside Kubernetes': what can be broken, and breaking it.

``GET /rehearsal`` tells what there is and what is broken; ``POST`` takes ``{"break": NAME, "target": TARGET}`` or
``{"mend": true}`` and answers ``{"done": WORDS}``. Both with the cluster's token.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, cast

import yaml
from aiohttp import web

from zktui.demo.errors import bad_request, method_not_allowed
from zktui.demo.faults import Faults
from zktui.demo.objects import Object
from zktui.demo.server import CONTROL

CONTEXT = "zktui-demo"
ADVICE = "say with --write-kubeconfig which file `zktui demo --serve --write-kubeconfig FILE` wrote"


def handler(faults: Faults) -> Any:
    """The coroutine function that answers."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(faults.present())
        if request.method != "POST":
            raise method_not_allowed()
        body: Any = await request.json()
        if not isinstance(body, dict):
            raise bad_request("the body is not an object")
        wanted = cast("Object", body)
        if wanted.get("mend"):
            await faults.mend()
            return web.json_response({"done": "all is whole again"})
        done = await faults.break_it(str(wanted.get("break", "")), str(wanted.get("target") or ""))
        return web.json_response({"done": done})

    return handle


class NotARehearsal(Exception):
    """The kubeconfig does not lead to a rehearsal cluster, or it refused; the message says what."""


def ask(kubeconfig: Path, body: Object | None = None) -> Object:
    """One such request to the cluster of a kubeconfig, by whoever has the file. Raises :class:`NotARehearsal`."""
    try:
        config: Any = yaml.safe_load(kubeconfig.read_text())
        cluster = next(one["cluster"] for one in config["clusters"] if one["name"] == CONTEXT)
        token = next(one["user"]["token"] for one in config["users"] if one["name"] == CONTEXT)
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    except OSError as why:
        raise NotARehearsal(f"{kubeconfig} can't be read: {why.strerror}; {ADVICE}") from why
    except (KeyError, TypeError, ValueError, StopIteration, yaml.YAMLError) as why:
        raise NotARehearsal(f"{kubeconfig} is no rehearsal cluster's kubeconfig; {ADVICE}") from why
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(cluster["server"] + CONTROL, data=data, headers=headers)  # noqa: S310 - its own https
    context = ssl.create_default_context(cadata=authority)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as reply:  # noqa: S310 - as above
            return json.load(reply)
    except urllib.error.HTTPError as why:
        status: Any = json.load(why)
        raise NotARehearsal(str(status.get("message", why))) from why
    except OSError as why:
        reason = getattr(why, "reason", why)
        words = getattr(reason, "strerror", None) or reason
        raise NotARehearsal(
            f"the rehearsal cluster at {cluster['server']} does not answer: {words}; it may have ended"
        ) from why
