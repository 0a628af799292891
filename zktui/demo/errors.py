"""Refusals of the rehearsal API server, in the words of Kubernetes' own ``Status`` objects.

Wordings follow ``k8s.io/apimachinery/pkg/api/errors``: clients (kubectl, client libraries) read ``reason``,
``code`` and ``details``, people read ``message``.
"""

from __future__ import annotations

from typing import Any

from zktui.demo.objects import Object


class ApiError(Exception):
    """A request refused; becomes the HTTP reply ``code`` with :meth:`status` as its body.

    ``reason`` is a machine-readable CamelCase word (``NotFound``), ``details`` the Status' details (None: there are
    none; a real server sends empty ones too), where ``retryAfterSeconds`` above 0 also becomes the ``Retry-After``
    header. ``token`` is a fresh ``continue``
    token, sent only with the 410 of an old one.
    """

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None, *, token: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: Object | None = None if details is None else dict(details)
        self.token = token

    def status(self) -> Object:
        """The ``v1.Status`` object of this refusal."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.token} if self.token else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(details: Object | None = None, code: int = 0) -> Object:
    """The ``v1.Status`` of a deletion or an eviction that was carried out."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    if code:
        body["code"] = code
    return body


def split_group(resource: str) -> tuple[str, str]:
    """``statefulsets.apps`` -> (``statefulsets``, ``apps``); ``pods`` -> (``pods``, ````)."""
    plural, _, group = resource.partition(".")
    return plural, group


def _details(resource: str, name: str, **more: Any) -> Object:
    kind, group = split_group(resource)
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details.update({key: value for key, value in more.items() if value})
    return details


def not_found(resource: str, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def already_exists(resource: str, name: str) -> ApiError:
    """409: an object of that name is there already."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name))


def conflict(resource: str, name: str, why: str = "") -> ApiError:
    """409: the object isn't the one, or not in the state, that the request was written for."""
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def bad_request(message: str) -> ApiError:
    """400: the request can't be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or a wrong one."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, name: str, why: str, causes: list[Object] | None = None) -> ApiError:
    """403 with ``why`` in the words of whoever forbids (the authorizer, an admission plugin)."""
    subject = f'{resource} "{name}"' if name else resource
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name, causes=causes))


def path_not_found() -> ApiError:
    """404: the group and version are served, but no such resource or subresource in them."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def path_forbidden(user: str, path: str, verb: str = "get") -> ApiError:
    """403 for a path that is no resource."""
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def no_impersonation(user: str, other: str) -> ApiError:
    """403 for a request in somebody else's name."""
    why = f'User "{user}" cannot impersonate resource "users" in API group "" at the cluster scope'
    return forbidden("users", other, why)


def invalid(kind: str, name: str, causes: list[tuple[str, str, str]]) -> ApiError:
    """422. ``kind`` is ``Kind.group``; each cause is (field path, reason such as FieldValueInvalid, words)."""
    words = [f"{field}: {text}" for field, _, text in causes]
    joined = words[0] if len(words) == 1 else "[" + ", ".join(words) + "]"
    entries = [{"reason": reason, "message": text, "field": field} for field, reason, text in causes]
    message = f'{kind} "{name}" is invalid: {joined}'
    return ApiError(422, "Invalid", message, _details(kind, name, causes=entries))


def too_many_requests(message: str, retry_after: int, causes: list[Object] | None = None) -> ApiError:
    """429; ``retry_after`` in seconds, 0 for no hint."""
    details: Object = {}
    if causes:
        details["causes"] = causes
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details)


def expired(message: str, token: str = "") -> ApiError:
    """410: the resource version, or the ``continue`` token, is older than the history that is kept."""
    return ApiError(410, "Expired", message, token=token)


def future_version(wanted: int, current: int) -> ApiError:
    """504: the client asks for a resource version this server has not reached."""
    causes: list[Object] = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def method_not_allowed() -> ApiError:
    """405: the resource exists but has no such verb."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: list[str]) -> ApiError:
    """406: the client takes none of the forms that there are."""
    words = f"406: Not Acceptable\n\nAvailable representations: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", words, {})


def unsupported_patch() -> ApiError:
    """415: a patch of a type this resource does not take."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def unsupported_media_type(accepted: list[str]) -> ApiError:
    """415: a body of a type that can't be read."""
    joined = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {joined}"
    return ApiError(415, "UnsupportedMediaType", message)


def internal_error(message: str) -> ApiError:
    """500: something failed behind the server (a kubelet that can't be reached, for one)."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})
