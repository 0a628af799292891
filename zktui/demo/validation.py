"""The refusals of objects that aren't valid (422), as far as the rehearsal's users can run into them."""

from __future__ import annotations

import json
import re

from zktui.demo import schema
from zktui.demo.errors import ApiError, bad_request, conflict, invalid
from zktui.demo.objects import Object, child, children
from zktui.demo.resources import Resource
from zktui.demo.selectors import matches_selector

Cause = tuple[str, str, str]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_WORDS = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
_STATEFUL_SET_FIXED = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")
_POD_WORDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_SELECTED = frozenset({"statefulsets", "replicasets", "daemonsets"})


def check_shape(obj: Object) -> None:
    """Raise a 400 where a part that must be an object is something else, as decoding into a type does."""
    for field in ("metadata", "spec", "status"):
        name = type(obj.get(field)).__name__
        if name not in ("dict", "NoneType"):
            given = {"str": "string", "bool": "bool", "list": "array"}.get(name, "number")
            kind = obj.get("kind", "Object")
            raise bad_request(f"json: cannot unmarshal {given} into Go struct field {kind}.{field}")


def check_identity(info: Resource, metadata: Object, current: Object) -> None:
    """Raise for a patched object that would be another: 409 for a version, then 422 for a uid."""
    held = current["metadata"]
    given = metadata.get("resourceVersion")
    if given and given != held["resourceVersion"]:
        raise conflict(info.key, held["name"])
    if metadata.get("uid") != held["uid"]:
        words = f'Invalid value: "{metadata.get("uid") or ""}": field is immutable'
        raise invalid(info.kind_key, held["name"], [("metadata.uid", "FieldValueInvalid", words)])


def _required(field: str, words: str = "Required value") -> Cause:
    return field, "FieldValueRequired", words


def _forbidden(field: str, words: str) -> Cause:
    return field, "FieldValueForbidden", f"Forbidden: {words}"


def _refuse(info: Resource, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise _error(info, obj, causes)


def _error(info: Resource, obj: Object, causes: list[Cause]) -> ApiError:
    return invalid(info.kind_key, obj["metadata"].get("name", ""), causes)


def validate_create(info: Resource, obj: Object) -> None:
    """Raise a 422 for an object that can't be created."""
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    causes: list[Cause] = []
    if not name:
        causes.append(_required("metadata.name", "Required value: name or generateName is required"))
    elif not isinstance(name, str) or not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        causes.append(("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {_SUBDOMAIN_WORDS}'))
    spec = child(obj, "spec")
    if info.plural in _SELECTED:
        causes += _selector_causes(spec)
    if info.key == "pods" and not spec.get("containers"):
        causes.append(_required("spec.containers"))
    if info.key == "poddisruptionbudgets.policy":
        causes += _budget_causes(spec)
    if info.key == "leases.coordination.k8s.io":
        causes += _lease_causes(spec)
    _refuse(info, obj, causes + _by_type(info, obj, causes))


def _by_type(info: Resource, obj: Object, told: list[Cause]) -> list[Cause]:
    """What any object of that type needs, but for what is told already; and what a pod's parts need of each other."""
    known = {field for field, _, _ in told}
    found = [cause for cause in schema.faults(obj, schema.of(info)) if cause[0] not in known]
    spec, path = child(obj, "spec"), "spec"
    claims = {child(claim, "metadata").get("name", "") for claim in children(spec, "volumeClaimTemplates")}
    if info.plural in _SELECTED:
        spec, path = child(spec, "template", "spec"), "spec.template.spec"
    return found + (_pod_causes(spec, path, claims) if info.plural in _SELECTED | {"pods"} else [])


def _pod_causes(spec: Object, path: str, claims: set[str]) -> list[Cause]:
    """Volumes and containers have names of their own, labels of DNS; a mount names a volume that is there."""
    causes: list[Cause] = []
    for kind in ("volumes", "containers"):
        names = [str(part.get("name") or "") for part in children(spec, kind)]
        for place, name in enumerate(names):
            where = f"{path}.{kind}[{place}].name"
            if name and not (_LABEL.fullmatch(name) and len(name) <= 63):
                causes.append((where, "FieldValueInvalid", f'Invalid value: "{name}": {_LABEL_WORDS}'))
            elif name in names[:place]:
                causes.append((where, "FieldValueDuplicate", f'Duplicate value: "{name}"'))
    volumes = children(spec, "volumes")
    for place, volume in enumerate(volumes):
        if volume.get("configMap") is not None and not volume["configMap"].get("name"):
            causes.append(_required(f"{path}.volumes[{place}].configMap.name"))
    known = claims | {volume.get("name") for volume in volumes}
    for place, container in enumerate(children(spec, "containers")):
        for at, mount in enumerate(children(container, "volumeMounts")):
            if mount.get("name") not in known:
                where = f"{path}.containers[{place}].volumeMounts[{at}].name"
                causes.append((where, "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"'))
    return causes


def _lease_causes(spec: Object) -> list[Cause]:
    seconds = spec.get("leaseDurationSeconds")
    if seconds is None or seconds > 0:
        return []
    return [("spec.leaseDurationSeconds", "FieldValueInvalid", f"Invalid value: {seconds}: must be greater than 0")]


def _selector_causes(spec: Object) -> list[Cause]:
    selector, template = spec.get("selector"), child(spec, "template")
    if not selector:
        return [_required("spec.selector")]
    labels = child(child(template, "metadata"), "labels")
    if not matches_selector(selector, labels):
        words = f"Invalid value: {_as_json(labels)}: `selector` does not match template `labels`"
        return [("spec.template.metadata.labels", "FieldValueInvalid", words)]
    if not child(template, "spec").get("containers"):
        return [_required("spec.template.spec.containers")]
    return []


def _budget_causes(spec: Object) -> list[Cause]:
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        given = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        words = f"Invalid value: {_as_json(given)}: minAvailable and maxUnavailable cannot be both set"
        return [("spec", "FieldValueInvalid", words)]
    for field in ("minAvailable", "maxUnavailable"):
        share = spec.get(field)
        if isinstance(share, str) and not _PERCENT.fullmatch(share):
            return [(f"spec.{field}", "FieldValueInvalid", f'Invalid value: "{share}": {_PERCENT_WORDS}')]
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, "IfHealthyBudget", "AlwaysAllow"):
        words = f'Unsupported value: "{policy}": supported values: "AlwaysAllow", "IfHealthyBudget"'
        return [("spec.unhealthyPodEvictionPolicy", "FieldValueNotSupported", words)]
    return []


def validate_update(info: Resource, obj: Object, old: Object) -> None:
    """Raise a 422 for a change of something that can't be changed."""
    spec, before = child(obj, "spec"), child(old, "spec")
    causes: list[Cause] = []
    if info.key == "statefulsets.apps":
        fixed = [field for field in _STATEFUL_SET_FIXED if spec.get(field) != before.get(field)]
        causes += [
            (f"spec.{field}", "FieldValueInvalid", f"Invalid value: {_as_json(spec.get(field))}: field is immutable")
            for field in fixed
        ]
    if info.key == "pods" and _fixed_pod_spec(spec) != _fixed_pod_spec({**before, **_bound(spec, before)}):
        causes.append(_forbidden("spec", _POD_WORDS))
    if info.key == "poddisruptionbudgets.policy":
        causes += _budget_causes(spec)
    _refuse(info, obj, causes + _by_type(info, obj, causes))


def _as_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _bound(spec: Object, before: Object) -> Object:
    """The scheduler here binds a pod by an update; a pod without a node may get one."""
    return {} if before.get("nodeName") or "nodeName" not in spec else {"nodeName": spec["nodeName"]}


def _fixed_pod_spec(spec: Object) -> Object:
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    fixed = {key: value for key, value in spec.items() if key not in free}
    for field in ("containers", "initContainers"):
        if field in fixed:
            fixed[field] = [{**container, "image": ""} for container in children(fixed, field)]
    return fixed
