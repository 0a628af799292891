"""Which options of a list or a watch go together: the refusals of ``metav1.ListOptions`` (422), and its versions."""

from __future__ import annotations

from zktui.demo import errors
from zktui.demo.requests import RequestInfo

KIND = "ListOptions.meta.k8s.io"
EXACT, NOT_OLDER = "Exact", "NotOlderThan"
Cause = tuple[str, str, str]


def check_list(info: RequestInfo) -> None:
    """Raise what a real server says of a list's options; nothing for those that make sense."""
    match, version = info.query.get("resourceVersionMatch", ""), info.query.get("resourceVersion", "")
    causes: list[Cause] = []
    if match:
        if not version:
            causes.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if info.query.get("continue"):
            causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER):
            causes.append(_unsupported(match, f'"{EXACT}", "{NOT_OLDER}", ""'))
        if match == EXACT and version == "0":
            causes.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if info.query.get("sendInitialEvents"):
        causes.append(_forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"))
    _refuse(causes)
    if info.query.get("continue") and version not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    if not _is_version(version):
        raise errors.bad_request(f"invalid resource version: {_no_version(version)}")


def check_watch(info: RequestInfo) -> None:
    """As :func:`check_list`, of a watch's options."""
    match, version = info.query.get("resourceVersionMatch", ""), info.query.get("resourceVersion", "")
    initial = bool(info.query.get("sendInitialEvents"))
    causes: list[Cause] = []
    if initial and match != NOT_OLDER:
        causes.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if match:
        if not initial:
            causes.append(
                _forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
            )
        if match != NOT_OLDER:
            causes.append(_unsupported(match, f'"{NOT_OLDER}"'))
    _refuse(causes)
    if not _is_version(version):
        # Not a good answer, but the real one.
        raise errors.ApiError(500, "", _no_version(version))


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(KIND, "", causes)


def _forbidden(words: str, field: str = "resourceVersionMatch") -> Cause:
    return field, "FieldValueForbidden", f"Forbidden: {words}"


def _unsupported(match: str, supported: str) -> Cause:
    words = f'Unsupported value: "{match}": supported values: {supported}'
    return "resourceVersionMatch", "FieldValueNotSupported", words


def _is_version(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit())


def _no_version(text: str) -> str:
    return f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
