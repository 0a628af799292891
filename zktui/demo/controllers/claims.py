"""Volumes for claims: a disk that every node can reach, made on demand and removed with its claim."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.errors import internal_error
from zktui.demo.events import EventRecorder
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.store import Store, thaw
from zktui.demo.volumes import claim_folder

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
CLASS = "standard"
PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
PROVISIONER = "rehearsal.zktui/network-disk"


class ClaimController(Controller):
    """Binds pending claims, protects those in use, and removes volumes whose claim is gone (policy Delete)."""

    watches: ClassVar[frozenset[str]] = frozenset({CLAIMS, VOLUMES, "pods"})

    def __init__(self, store: Store, events: EventRecorder, root: Path) -> None:
        super().__init__(store, events)
        self._root = root

    def reconcile(self) -> float | None:
        for claim in self.store.list(CLAIMS)[0]:
            if meta(claim).get("deletionTimestamp"):
                self._release(claim)
            elif child(claim, "status").get("phase") != "Bound":
                self._bind(claim)
        for volume in self.store.list(VOLUMES)[0]:
            self._reclaim(volume)
        return None

    def _bind(self, claim: Object) -> None:
        spec, wanted = child(claim, "spec"), child(claim, "spec", "resources", "requests").get("storage", "1Gi")
        if spec.get("storageClassName") not in (None, CLASS):
            words = f'storageclass.storage.k8s.io "{spec["storageClassName"]}" not found'
            self.events.record(claim, "Warning", "ProvisioningFailed", words, component="persistentvolume-controller")
            return
        if spec.get("volumeName") not in (None, "", f"pvc-{meta(claim)['uid']}"):
            return  # it waits for a volume of somebody else's making: none is ever bound here
        volume, folder = f"pvc-{meta(claim)['uid']}", claim_folder(self._root, namespace_of(claim), name_of(claim))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as why:
            raise internal_error(f"failed to provision volume with StorageClass {CLASS}: {why.strerror}") from why
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": namespace_of(claim),
            "name": name_of(claim),
            "uid": meta(claim)["uid"],
        }
        if self.store.find(VOLUMES, "", volume) is None:
            annotations = {"pv.kubernetes.io/provisioned-by": PROVISIONER}
            body = {
                "metadata": {"name": volume, "annotations": annotations, "finalizers": [VOLUME_PROTECTION]},
                "spec": {
                    "accessModes": spec.get("accessModes"),
                    "capacity": {"storage": wanted},
                    "claimRef": reference,
                    "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"},
                    "persistentVolumeReclaimPolicy": "Delete",
                    "storageClassName": CLASS,
                },
                "status": {"phase": "Bound"},
            }
            self.store.create(VOLUMES, body)
        fresh = thaw(claim)
        fresh["spec"].update(volumeName=volume, storageClassName=CLASS)
        meta(fresh).setdefault("finalizers", []).append(PROTECTION)
        stored = self.store.update(CLAIMS, fresh)
        status = {"phase": "Bound", "accessModes": spec.get("accessModes"), "capacity": {"storage": wanted}}
        self.set_status(CLAIMS, stored, status)
        words = f"Successfully provisioned volume {volume}"
        self.events.record(claim, "Normal", "ProvisioningSucceeded", words, component=PROVISIONER)

    def _release(self, claim: Object) -> None:
        """A deleted claim goes when no pod uses it any more."""
        if PROTECTION not in children(meta(claim), "finalizers"):
            return
        for pod in self.store.list("pods", namespace_of(claim))[0]:
            for volume in children(pod, "spec", "volumes"):
                if child(volume, "persistentVolumeClaim").get("claimName") == name_of(claim):
                    return
        fresh = thaw(claim)
        meta(fresh)["finalizers"].remove(PROTECTION)
        self.store.update(CLAIMS, fresh)

    def _reclaim(self, volume: Object) -> None:
        reference = child(volume, "spec", "claimRef")
        claim = self.store.find(CLAIMS, reference.get("namespace", ""), reference.get("name", ""))
        if not reference.get("uid") or (claim is not None and meta(claim)["uid"] == reference["uid"]):
            return  # none, or one that nobody has bound yet
        if child(volume, "spec").get("persistentVolumeReclaimPolicy") == "Delete":
            folder = claim_folder(self._root, reference.get("namespace", ""), reference.get("name", "")).resolve()
            # The names may be anything, ".." too, where a user wrote the volume: nothing goes but a claim's folder.
            if claim is None and folder.parents[1] == claim_folder(self._root, "", "").resolve():
                shutil.rmtree(folder, ignore_errors=True)
            left, gone = self.store.delete(VOLUMES, "", name_of(volume))
            if not gone:  # nothing uses it any more
                kept = [held for held in children(meta(left), "finalizers") if held != VOLUME_PROTECTION]
                self.store.change(VOLUMES, "", name_of(volume), lambda fresh: meta(fresh).update(finalizers=kept))
        else:
            self.set_status(VOLUMES, volume, {"phase": "Released"})
