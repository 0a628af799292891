"""The user's kubeconfig, read and merged by the official client, with kubectl's own rules where the two differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zktui.core.ports import Place
from zktui.errors import UsageError

DEMO_CONTEXT = "zktui-demo"
IN_CLUSTER = "in-cluster"
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One context of the merged configuration. `merged` is the client's node tree; None means in-cluster."""

    place: Place
    merged: Any = field(repr=False)
    save: Any = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)
    cluster: Mapping[str, Any] = field(repr=False)
    folder: str = ""
    """Directory of the file that the user's entry is from: relative paths of an exec plugin start there."""


def choose(path: str | None, context: str | None, namespace: str | None) -> Chosen:
    """The context to use: from `path`, else $KUBECONFIG (several files are merged), else ~/.kube/config, else the
    service account of the pod that this runs in. Raises UsageError with what is wrong and which contexts there are.
    """
    wanted = path or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(part).expanduser() for part in wanted.split(os.pathsep) if part]
    found = [file for file in files if file.exists()]
    if found and (path is None or len(found) == len(files)):
        return _from_files(found, context, namespace)
    if path is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(context, namespace)
    missing = next((file for file in files if not file.exists()), wanted)
    raise UsageError(
        f"There is no kubeconfig at {missing}.",
        "Give one with --kubeconfig or $KUBECONFIG; or try `zktui demo`, which needs none.",
    )


def _from_files(files: list[Path], context: str | None, namespace: str | None) -> Chosen:
    merged, save, current = _merge(files)
    names: list[str] = [str(item["name"]) for item in merged.value["contexts"]]
    name = context or current
    if not name:
        raise UsageError("The kubeconfig has no current context.", _choose_from(names))
    entry = _named(merged, "contexts", name)
    if entry is None:
        which = f"no context named {name}" if context else f"a current context, {name}, that it does not hold"
        raise UsageError(f"The kubeconfig has {which}.", _choose_from(names))
    chosen: dict[str, Any] = entry.value.get("context") or {}
    cluster = _named(merged, "clusters", str(chosen.get("cluster") or ""))
    if cluster is None:
        raise UsageError(
            f"Context {name} refers to cluster {chosen.get('cluster')}, which the kubeconfig does not hold.",
            "Correct the kubeconfig, or choose another context with --context.",
        )
    user_name = str(chosen.get("user") or "")
    user = _named(merged, "users", user_name)
    if user is None and user_name:
        raise UsageError(
            f"Context {name} refers to user {user_name}, which the kubeconfig does not hold.",
            "Correct the kubeconfig, or choose another context with --context.",
        )
    details: dict[str, Any] = cluster.value.get("cluster") or {}
    place = Place(
        context=name,
        cluster=str(chosen.get("cluster")),
        server=str(details.get("server") or "").rstrip("/"),
        user=user_name,
        namespace=namespace or str(chosen.get("namespace") or "default"),
        kubeconfig=os.pathsep.join(str(file) for file in files),
        demo=name == DEMO_CONTEXT,
    )
    if not place.server:
        raise UsageError(f"Cluster {place.cluster} in the kubeconfig has no server.", "Correct the kubeconfig.")
    folder = str(Path(user.path).absolute().parent) if user is not None else ""
    return Chosen(place, merged, save, (user.value.get("user") or {}) if user is not None else {}, details, folder)


def _merge(files: list[Path]) -> tuple[Any, Any, str]:
    """The merged node tree, the client's hook that writes renewed tokens back, and the current context's name.

    kubectl takes the first current-context that is set, the client the last one.
    """
    import yaml  # noqa: PLC0415 - costs start-up time, as do the imports of the client below
    from kubernetes.config import ConfigException, kube_config  # noqa: PLC0415

    client: Any = kube_config
    try:
        merger = client.KubeConfigMerger(os.pathsep.join(str(file) for file in files))
        configs: list[dict[str, Any]] = list(merger.config_files.values())
        current = next((str(c["current-context"]) for c in configs if c.get("current-context")), "")
        for kind in ("contexts", "clusters", "users"):
            for item in merger.config.value[kind]:
                _ = item["name"]
    except OSError as error:
        why = f"The kubeconfig {error.filename} can't be read: {error.strerror}."
        raise UsageError(why, "Check its owner and its mode.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1} of {mark.name})" if mark is not None else ""
        raise UsageError(f"The kubeconfig is not valid YAML{where}.", "Correct it, or choose another.") from error
    except (ConfigException, AttributeError, KeyError, TypeError, ValueError) as error:
        # The client walks the tree unchecked: a list or a string in place of a mapping ends in any of these.
        listed = ", ".join(str(file) for file in files)
        raise UsageError(f"{listed} is not a kubeconfig.", "Choose another with --kubeconfig.") from error
    return merger.config, merger.save_changes, current


def _named(merged: Any, kind: str, name: str) -> Any:
    return next((item for item in merged.value[kind] if item["name"] == name), None)


def _choose_from(names: list[str]) -> str:
    if not names:
        return "It holds no contexts at all: choose another file with --kubeconfig."
    return f"Choose one with --context: {', '.join(sorted(names))}."


def _in_cluster(context: str | None, namespace: str | None) -> Chosen:
    if context:
        raise UsageError(f"There is no kubeconfig, so no context {context}.", "Give one with --kubeconfig.")
    try:
        own = _NAMESPACE_FILE.read_text().strip()
    except OSError:
        own = "default"
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    place = Place(IN_CLUSTER, IN_CLUSTER, server, "service account", namespace or own)
    return Chosen(place, None, None, {}, {})
