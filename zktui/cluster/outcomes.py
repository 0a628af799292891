"""What became of a request: urllib3's exceptions and HTTP statuses as the values of `core.ports`."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence

import msgspec
from urllib3 import HTTPHeaderDict
from urllib3 import exceptions as http

from zktui.cluster import wire
from zktui.core.ports import Cause, Refused, Unanswered

_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
# A gateway's verdicts, and those of an API server that could not find out what its storage did.
_UNDECIDED_CODES = frozenset({408, 502, 503, 504})
_UNDECIDED_REASONS = frozenset({"Timeout", "ServerTimeout"})
_UNDECIDED_TEXTS = ("etcdserver", "timed out", "deadline exceeded", "context canceled")
_READ_STATUS = wire.decoder(wire.Status)


def refused(code: int, headers: HTTPHeaderDict, body: bytes, at: float, *, change: bool) -> Refused | Unanswered:
    """What a reply of 300 or more means. For a change, a code that does not say whether it was done is no refusal."""
    try:
        status = _READ_STATUS.decode(body)
    except msgspec.DecodeError:
        text = " ".join(body[:400].decode("utf-8", "replace").split())
        status = wire.Status(code=code, message=text or f"HTTP {code}")
    if change and _undecided(code, status):
        return Unanswered(f"the API server could not tell what became of it (HTTP {code}: {status.message})", at)
    return refusal(status, code, at, _retry_after(headers, status))


def refusal(status: wire.Status, code: int, at: float, retry_after: float | None = None) -> Refused:
    details = status.details or wire.StatusDetails()
    causes = tuple(Cause(c.reason, c.message, c.field) for c in details.causes or ())
    return Refused(code, status.reason, status.message or f"HTTP {code}", at, causes, retry_after)


def message_of(body: bytes) -> str:
    """What a refusal's body says in one line, be it a Status or anything else."""
    try:
        text = _READ_STATUS.decode(body).message
    except msgspec.DecodeError:
        text = body[:400].decode("utf-8", "replace")
    return " ".join(text.split())


def _undecided(code: int, status: wire.Status) -> bool:
    if code in _UNDECIDED_CODES or status.reason in _UNDECIDED_REASONS:
        return True
    return code == 500 and any(text in status.message for text in _UNDECIDED_TEXTS)


def _retry_after(headers: HTTPHeaderDict, status: wire.Status) -> float | None:
    """Seconds. The header counts first, as it does for client-go; its date form is not used by Kubernetes."""
    text = headers.get("Retry-After", "")
    if text.strip().isdecimal():
        return float(text)
    return status.details.retry_after_seconds if status.details else None


def warnings(headers: HTTPHeaderDict) -> tuple[str, ...]:
    """Texts of `Warning: 299 - "text"` headers, which admission and deprecated APIs send."""
    found = (match for value in headers.getlist("Warning") for match in _WARNING.finditer(value))
    return tuple(re.sub(r"\\(.)", r"\1", match[1]) for match in found)


def unanswered(error: BaseException, at: float, server: str) -> Unanswered:
    """`sent` is False only where no connection came to be, so that not a byte of the request can have left."""
    chain = tuple(_chain(error))
    why = explain(chain, server)
    never = (http.NewConnectionError, http.ConnectTimeoutError, http.NameResolutionError, ssl.SSLCertVerificationError)
    return Unanswered(why, at, sent=not any(isinstance(link, never) for link in chain))


def explain(chain: Sequence[BaseException], server: str) -> str:
    """One clause for people. The innermost cause that is known decides."""
    for link in reversed(chain):
        match link:
            case ssl.SSLCertVerificationError():
                return f"{server} shows a certificate that can't be trusted ({link.verify_message})"
            case socket.gaierror():
                return f"the name in {server} can't be resolved"
            case ConnectionRefusedError():
                return f"{server} refuses connections"
            case http.ConnectTimeoutError():
                return f"{server} can't be reached: no connection in time"
            case http.ReadTimeoutError() | TimeoutError():
                return f"{server} did not answer in time"
            case ssl.SSLError():
                return f"TLS with {server} failed ({link.reason or link})"
            case ConnectionResetError() | BrokenPipeError():
                return f"the connection to {server} was cut"
            case OSError() if link.strerror:
                return f"{server} can't be reached: {link.strerror}"
            case _:
                continue
    if any(isinstance(link, http.ProtocolError) for link in chain):
        return f"the connection to {server} was cut"
    return f"{server}: {chain[0]}"


def chain_of(error: BaseException) -> tuple[BaseException, ...]:
    return tuple(_chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it wraps, and what caused it, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = error.__cause__ or getattr(error, "original_error", None) or error.__context__
        if inner is None and isinstance(error, http.HTTPError):
            inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = inner
