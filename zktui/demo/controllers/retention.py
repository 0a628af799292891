"""Who takes a set's claims along when it goes: persistentVolumeClaimRetentionPolicy, by owner references.

As ``updateClaimOwnerRefForSetAndPod`` of the StatefulSet controller: under ``whenDeleted: Delete`` the set owns the
claims, under ``whenScaled: Delete`` a pod beyond the replicas owns its own. The garbage collector does the rest.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.store import Store

CLAIMS = "persistentvolumeclaims"


def own_claims(
    store: Store, stateful_set: Object, owner: Object, pods: Mapping[int, Object], wanted: Container[int]
) -> None:
    """Give the claims of these pods (by ordinal) the owner that the policy wants, and take the other one away."""
    policy = child(stateful_set, "spec", "persistentVolumeClaimRetentionPolicy")
    for number, pod in pods.items():
        own = {**owner, "apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": meta(pod)["uid"]}
        holder = owner if policy.get("whenDeleted") == "Delete" else None
        if policy.get("whenScaled") == "Delete" and number not in wanted:
            holder = own
        for template in children(stateful_set, "spec", "volumeClaimTemplates"):
            claim = store.find(CLAIMS, namespace_of(pod), f"{template['metadata']['name']}-{name_of(pod)}")
            if claim is not None and not meta(claim).get("deletionTimestamp"):
                _own(store, claim, (owner, own), holder)


def _own(store: Store, claim: Object, candidates: tuple[Object, ...], holder: Object | None) -> None:
    """Let of the candidates only ``holder`` (or none) own the claim; one that was theirs before them goes anyway."""
    held, now = children(meta(claim), "ownerReferences"), {one["uid"] for one in candidates}
    names = {(one["kind"], one["name"]) for one in candidates}
    if any((one["kind"], one["name"]) in names and one["uid"] not in now for one in held):
        return
    fresh = [*(one for one in held if one["uid"] not in now), *filter(None, [holder])]
    if held != fresh:
        space, name = namespace_of(claim), name_of(claim)
        store.change(CLAIMS, space, name, lambda obj: meta(obj).update(ownerReferences=fresh))
