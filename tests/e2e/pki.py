"""The cluster's certificates and kubeconfigs: one authority, and what each part shows and trusts. By openssl."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DAYS = "30"
CONTEXT = "zktui-e2e"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority for one cluster, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.own = Pair(folder / "ca.crt", folder / "ca.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS),
            *("-subj", "/CN=zktui-e2e", "-keyout", str(self.own.key), "-out", str(self.own.certificate)),
        )

    def issue(self, name: str, user: str, groups: Iterable[str] = (), addresses: Iterable[str] = ()) -> Pair:
        """A certificate for a client (user and groups, as Kubernetes reads CN and O) that also serves at addresses."""
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", subject, "-keyout", str(pair.key), "-out", str(request)),
        )
        lines = ["keyUsage=digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
        if names := [f"{'IP' if address[0].isdigit() else 'DNS'}:{address}" for address in addresses]:
            lines.append(f"subjectAltName={','.join(names)}")
        extensions.write_text("\n".join(lines))
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.own.certificate), "-CAkey", str(self.own.key)),
            *("-CAcreateserial", "-days", DAYS, "-extfile", str(extensions), "-out", str(pair.certificate)),
        )
        return pair

    def signing_key(self) -> tuple[Path, Path]:
        """The key for ServiceAccount tokens, private and public."""
        private, public = self.folder / "sa.key", self.folder / "sa.pub"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(private))
        _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
        return private, public

    def kubeconfig(self, into: Path, server: str, user: Pair) -> Path:
        """A kubeconfig of that user, with everything inside the one file. JSON is YAML."""
        cluster = {"server": server, "certificate-authority-data": _data(self.own.certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [
                {
                    "name": CONTEXT,
                    "user": {"client-certificate-data": _data(user.certificate), "client-key-data": _data(user.key)},
                }
            ],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
        }
        into.touch(mode=0o600)
        into.write_text(json.dumps(document, indent=1))
        return into


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True)
