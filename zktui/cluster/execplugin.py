"""Credentials from an exec plugin (client.authentication.k8s.io), as kubectl asks for them.

The official client's own runner is not used: it hands the terminal to the plugin whenever there is one, which would
write over the screen, it only logs a failure, and it never renews a certificate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zktui.cluster.quantities import epoch
from zktui.errors import CredentialsRefused, UsageError

BACKGROUND_TIMEOUT = 60.0
"""Seconds for a plugin that runs while the screen is taken; one that may ask its user has no limit."""


@dataclass(frozen=True, slots=True)
class Credential:
    token: str = ""
    certificate: str = ""
    """PEM, with `key`."""
    key: str = ""
    expires_at: float | None = None
    """Seconds since the epoch."""


def run(spec: Mapping[str, Any], folder: str, cluster: Mapping[str, Any], *, interactive: bool) -> Credential:
    """Run the plugin of a kubeconfig user. `folder` is the kubeconfig's, for a command with a relative path.

    Raises CredentialsRefused when it fails or its answer holds no credential, UsageError when it can't be run.
    """
    command = str(spec.get("command") or "")
    mode = spec.get("interactiveMode") or "IfAvailable"
    interactive = interactive and mode != "Never" and sys.stdin.isatty()
    if not command:
        raise UsageError("The kubeconfig's exec entry names no command.", "Add `command` to that user.")
    if mode == "Always" and not interactive:
        raise CredentialsRefused(
            f"The credential plugin {command} has to ask you, and there is no terminal for it now.",
            "Log in with it in another terminal, then try again.",
        )
    if os.sep in command:
        command = os.path.join(folder, os.path.expanduser(command))  # noqa: PTH111, PTH118 - an absolute one stays
    arguments = [command, *(str(argument) for argument in spec.get("args") or ())]
    try:
        done = subprocess.run(  # noqa: S603 - running what the user's kubeconfig names is what it is for
            arguments,
            env=_environment(spec, cluster, interactive),
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            timeout=None if interactive else BACKGROUND_TIMEOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"The credential plugin {command} can't be run: {why}.", _hint(spec)) from error
    except subprocess.TimeoutExpired as error:
        why = f"The credential plugin {command} gave no answer within {BACKGROUND_TIMEOUT:g} s."
        raise CredentialsRefused(why, "Run it by hand to see what it waits for.") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or "").split())[:300]
        why = f"The credential plugin {command} failed with exit code {done.returncode}" + (
            f": {said}" if said else "."
        )
        raise CredentialsRefused(why, "Log in again with the tool that it belongs to.")
    return _credential(command, done.stdout)


def _environment(spec: Mapping[str, Any], cluster: Mapping[str, Any], interactive: bool) -> dict[str, str]:
    request: dict[str, Any] = {"interactive": interactive}
    if spec.get("provideClusterInfo"):
        request["cluster"] = {k: v for k, v in cluster.items() if k != "extensions"}
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                request["cluster"]["config"] = extension.get("extension")
    version = spec.get("apiVersion") or "client.authentication.k8s.io/v1"
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": request}
    extra = {str(item["name"]): str(item.get("value", "")) for item in spec.get("env") or ()}
    return {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _credential(command: str, output: str) -> Credential:
    try:
        status = json.loads(output)["status"]
        found = Credential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or ""),
            key=str(status.get("clientKeyData") or ""),
            expires_at=epoch(status.get("expirationTimestamp")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsRefused(
            f"The credential plugin {command} did not answer with an ExecCredential.", "Run it by hand to see why."
        ) from error
    if not found.token and not (found.certificate and found.key):
        why = f"The credential plugin {command} answered without a token or a certificate with its key."
        raise CredentialsRefused(why, "Log in again with the tool that it belongs to.")
    return found


def _hint(spec: Mapping[str, Any]) -> str:
    given = " ".join(str(spec.get("installHint") or "").split())
    return given or "Install it, or correct the command in the kubeconfig."
