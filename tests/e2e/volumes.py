"""PersistentVolumes for claims that are known by name, since nothing here provisions any.

They are folders of this machine, which all nodes share: without a node affinity they behave like storage on the
network. With one they are a node's own disk, and a member that was drained can't come back elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

MEMBER = 1000
"""The group (fsGroup) and user that ZooKeeper's pods run as."""


def volume(folder: Path, namespace: str, claim: str, node: str | None = None) -> dict[str, Any]:
    """A PersistentVolume for that claim only, its folder made; on one node's disk if ``node`` is given.

    The kubelet gives no hostPath folder to the pod's fsGroup, as a storage driver would have it do; so the folder
    is what it would be then: owned by the group, which new files inherit.
    """
    place = folder / namespace / claim
    place.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:  # kwok's pods write nothing
        os.chown(place, MEMBER, MEMBER)
        place.chmod(0o2775)
    spec: dict[str, Any] = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
        "hostPath": {"path": str(place), "type": "Directory"},
    }
    if node is not None:
        match = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": match}]}}
    metadata = {"name": f"{namespace}-{claim}"}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
