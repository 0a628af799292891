"""Who may do what: everybody everything, but for what a test denied; and the reviews that tell it."""

from __future__ import annotations

from zktui.demo import errors
from zktui.demo.errors import ApiError
from zktui.demo.objects import Object, child
from zktui.demo.requests import RequestInfo
from zktui.demo.resources import Resource

USER = "zktui-demo"
ANONYMOUS = "system:anonymous"
GROUPS = ["system:masters", "system:authenticated"]
ACCESS = "selfsubjectaccessreviews.authorization.k8s.io"
RULES = "selfsubjectrulesreviews.authorization.k8s.io"
SELF = "selfsubjectreviews.authentication.k8s.io"
REVIEWS = frozenset({ACCESS, RULES, SELF})


class Authorizer:
    """Allows all that isn't denied. Resources are spelled as in RBAC rules: ``nodes``, ``pods/eviction``."""

    def __init__(self) -> None:
        self._denied: set[tuple[str, str]] = set()

    def deny(self, verb: str, resource: str) -> None:
        """Refuse that verb on that resource from now on; ``*`` stands for every verb."""
        self._denied.add((verb, resource))

    def allow(self, verb: str, resource: str) -> None:
        """Take a denial back."""
        self._denied.discard((verb, resource))

    def allows(self, verb: str, resource: str) -> bool:
        return not {(verb, resource), ("*", resource)} & self._denied

    def check(self, info: RequestInfo) -> None:
        """403 in the words of RBAC for a denied request."""
        if not self.allows(info.verb, info.target):
            raise refusal(USER, info)


def refusal(user: str, info: RequestInfo) -> ApiError:
    """403 in the words of RBAC."""
    scope = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    why = f'User "{user}" cannot {info.verb} resource "{info.target}" in API group "{info.resource.group}" {scope}'
    return errors.forbidden(info.resource.key, info.name, why)


def review(resource: Resource, body: Object, authorizer: Authorizer) -> Object:
    """Answer a SelfSubjectAccessReview, SelfSubjectRulesReview or SelfSubjectReview."""
    answer: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
    if resource.key == SELF:
        return {**answer, "status": {"userInfo": {"username": USER, "groups": GROUPS}}}
    answer["spec"] = child(body, "spec")
    if resource.key == RULES:
        rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        return {**answer, "status": {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}}
    return {**answer, "status": _access(answer["spec"], authorizer)}


def _access(spec: Object, authorizer: Authorizer) -> Object:
    wanted = child(spec, "resourceAttributes")
    if not wanted:
        if spec.get("nonResourceAttributes"):
            return {"allowed": True}
        words = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise errors.invalid(".authorization.k8s.io", "", [("spec", "FieldValueInvalid", words)])
    parts = [wanted.get("resource", ""), wanted.get("subresource", "")]
    allowed = authorizer.allows(wanted.get("verb", ""), "/".join(filter(None, parts)))
    return {"allowed": allowed}
