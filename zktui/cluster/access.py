"""The way to one API server: its address, TLS, and credentials that renew themselves once for everybody.

Kubeconfig and credentials are the official client's business (its loader and its Configuration); its typed API
classes are never imported. The client is imported late: it costs about 0.1 s beside what is needed anyway.
"""

from __future__ import annotations

import logging
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zktui.cluster import execplugin
from zktui.cluster.kubeconfig import Chosen, choose
from zktui.core.ports import Place
from zktui.errors import CredentialsRefused, UsageError

if TYPE_CHECKING:
    import urllib3

RENEW_BEFORE = 60.0
"""Seconds before its expiry at which an exec plugin's credential is fetched anew."""
RENEW_PAUSE = 10.0
"""Seconds between two renewals that a 401 asked for."""


class Access:
    """Credentials and connections to the API server of one context.

    Thread-safe. Not usable before `prepare`, which may run a credential plugin that talks to the user.
    """

    def __init__(self, chosen: Chosen) -> None:
        self.place: Place = chosen.place
        self._chosen = chosen
        self._lock = threading.Lock()
        self._configuration: Any = None
        self._plugin: execplugin.Credential | None = None
        self._tls: ssl.SSLContext | None = None
        self._pool: urllib3.PoolManager | None = None
        self._renewed_at = float("-inf")
        self._interactive = True

    @classmethod
    def of(cls, kubeconfig: str | None, context: str | None, namespace: str | None) -> Access:
        """Raises UsageError."""
        return cls(choose(kubeconfig, context, namespace))

    def prepare(self) -> None:
        """Fetch credentials, once, before a screen is taken: a plugin may use the terminal until this returns.

        Raises UsageError, or CredentialsRefused when a plugin fails. Sends nothing to the API server.
        """
        with self._lock:
            if self._configuration is None:
                self._load()
            self._interactive = False

    @property
    def server(self) -> str:
        """The base URL, without a slash at its end."""
        return self.place.server

    @property
    def pool(self) -> urllib3.PoolManager:
        """Connections with the present credentials. A renewed certificate makes a new pool: don't keep it."""
        with self._lock:
            self._keep_fresh()
            assert self._pool is not None, "_keep_fresh has loaded it"
            return self._pool

    @property
    def tls(self) -> ssl.SSLContext | None:
        """None for a server spoken to in the clear."""
        with self._lock:
            self._keep_fresh()
            return self._tls

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must bear."""
        with self._lock:
            self._keep_fresh()
            return self._configuration.tls_server_name or urlsplit(self.server).hostname or ""

    @property
    def proxy(self) -> str | None:
        """URL of the proxy on the way, if any."""
        with self._lock:
            self._keep_fresh()
            return _proxy_of(self._configuration)

    def headers(self) -> list[tuple[str, str]]:
        """Who asks: Authorization and impersonation. One refresh serves all that wait for it.

        Raises CredentialsRefused when they can't be renewed.
        """
        with self._lock:
            self._keep_fresh()
            found = self._impersonation()
            if self._plugin is not None and self._plugin.token:
                value: str | None = f"Bearer {self._plugin.token}"
            else:
                with _quiet_logging(), _as_refused():
                    value = self._configuration.get_api_key_with_prefix("BearerToken")
            if value:
                found.append(("Authorization", value.strip()))
            return found

    def renew(self) -> bool:
        """After a 401: load everything anew, at most every RENEW_PAUSE seconds. True when asking again may help."""
        with self._lock:
            now = time.monotonic()
            if now - self._renewed_at < RENEW_PAUSE:
                return False
            self._renewed_at = now
            try:
                self._load()
            except (UsageError, CredentialsRefused):
                return False
            return True

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.clear()

    def _keep_fresh(self) -> None:
        if self._configuration is None:
            self._load()
        expires = self._plugin.expires_at if self._plugin is not None else None
        # Times of credentials are the issuer's wall clock.
        if expires is not None and time.time() > expires - RENEW_BEFORE:
            if time.monotonic() - self._renewed_at < RENEW_PAUSE:
                return  # a plugin that hands out credentials about to expire is not run for each request
            self._renewed_at = time.monotonic()
            self._load()

    def _load(self) -> None:
        folder = tempfile.mkdtemp(prefix="zktui-")
        try:
            with _quiet_logging(), _as_refused():
                self._configuration = self._configure(folder)
            self._tls = _tls_of(self._configuration) if self.server.startswith("https") else None
        finally:
            # The client writes keys from a kubeconfig to files; once they are in the TLS context they can go.
            shutil.rmtree(folder, ignore_errors=True)
        self._pool = _pool_of(self._configuration, self._tls)

    def _configure(self, folder: str) -> Any:
        from kubernetes.client import Configuration  # noqa: PLC0415
        from kubernetes.config import incluster_config, kube_config  # noqa: PLC0415

        client: Any = kube_config
        configuration: Any = Configuration()
        chosen = self._chosen
        if chosen.merged is None:
            incluster: Any = incluster_config
            incluster.load_incluster_config(client_configuration=configuration)
            return configuration
        tree = chosen.merged
        if "exec" in chosen.user:
            self._plugin = execplugin.run(
                chosen.user["exec"], chosen.folder, chosen.cluster, interactive=self._interactive
            )
            tree = _without_plugin(client, tree, self.place.user)
        loader = client.KubeConfigLoader(
            config_dict=tree,
            active_context=self.place.context,
            config_base_path=None,
            config_persister=chosen.save,
            temp_file_path=folder,
        )
        loader.load_and_set(configuration)
        if self._plugin is not None and self._plugin.certificate:
            configuration.cert_file = _write(folder, "certificate.pem", self._plugin.certificate)
            configuration.key_file = _write(folder, "key.pem", self._plugin.key)
        return configuration

    def _impersonation(self) -> list[tuple[str, str]]:
        """kubectl's `as`, which the official client ignores: left out, the request would be the user's own."""
        user = self._chosen.user
        found = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
        if user.get("as-uid"):
            found.append(("Impersonate-Uid", str(user["as-uid"])))
        return found + [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]


def _without_plugin(client: Any, tree: Any, user: str) -> Any:
    """The node tree with this user's exec entry left out; the files' own dicts stay as they are."""
    users: list[Any] = []
    for item in tree.value["users"]:
        value = item.value
        if item["name"] == user:
            value = {**value, "user": {k: v for k, v in value["user"].items() if k != "exec"}}
        users.append(client.ConfigNode(item.name, value, item.path))
    return client.ConfigNode(tree.name, {**tree.value, "users": users}, tree.path)


def _write(folder: str, name: str, text: str) -> str:
    path = f"{folder}/{name}"  # the folder is ours alone (mkdtemp)
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)
    return path


def _tls_of(configuration: Any) -> ssl.SSLContext:
    """Raises UsageError when a certificate or key can't be used."""
    from urllib3.util.ssl_ import create_urllib3_context  # noqa: PLC0415

    context = create_urllib3_context()
    # Python 3.13 demands extensions that many a cluster's own CA lacks; kubectl (Go) does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif configuration.ssl_ca_cert:
            context.load_verify_locations(cafile=configuration.ssl_ca_cert)
        else:
            context.load_default_certs()
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        which = "client certificate" if configuration.cert_file else "certificate authority"
        raise UsageError(f"A {which} of the kubeconfig can't be used: {error}.", "Correct the kubeconfig.") from error
    return context


def _proxy_of(configuration: Any) -> str | None:
    from kubernetes.client.rest import should_bypass_proxies  # noqa: PLC0415

    host = urlsplit(str(configuration.host)).hostname or ""
    # As Go's ProxyFromEnvironment: never for loopback.
    if not configuration.proxy or host in ("localhost", "::1") or host.startswith("127."):
        return None
    bypass: Any = should_bypass_proxies
    return None if bypass(configuration.host, configuration.no_proxy or "") else str(configuration.proxy)


def _pool_of(configuration: Any, tls: ssl.SSLContext | None) -> urllib3.PoolManager:
    import urllib3  # noqa: PLC0415
    from kubernetes.utils.keepalive import tcp_keepalive_socket_options  # noqa: PLC0415

    # The kernel gives a dead peer up after 10 + 5 x 4 s, also where nothing is being sent.
    options: Any = tcp_keepalive_socket_options
    arguments: dict[str, Any] = {
        "maxsize": 32,
        "retries": False,
        "socket_options": options(idle=10, interval=5, count=4),
    }
    if tls is not None:
        arguments["ssl_context"] = tls
        if not configuration.verify_ssl:
            arguments["cert_reqs"] = ssl.CERT_NONE
            arguments["assert_hostname"] = False
        if configuration.tls_server_name:
            arguments["server_hostname"] = configuration.tls_server_name
    proxy = _proxy_of(configuration)
    if proxy is None:
        return urllib3.PoolManager(**arguments)
    if urlsplit(proxy).scheme.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415

        return SOCKSProxyManager(proxy, **arguments)
    return urllib3.ProxyManager(proxy, proxy_headers=configuration.proxy_headers, **arguments)


@contextmanager
def _as_refused() -> Generator[None]:
    """The client's own complaints about a kubeconfig or a token, in our words."""
    from kubernetes.config import ConfigException  # noqa: PLC0415

    try:
        yield
    except ConfigException as error:
        said = " ".join(str(error).split())[:300]
        raise CredentialsRefused(
            f"The credentials can't be loaded: {said}.", "Log in again, or check the file."
        ) from error
    except OSError as error:
        raise CredentialsRefused(f"The credentials can't be loaded: {error}.", "Check the kubeconfig.") from error


@contextmanager
def _quiet_logging() -> Generator[None]:
    """The client logs failures by logging.error, which on a bare root logger would write over the screen."""
    root = logging.getLogger()
    silence = logging.NullHandler()
    root.addHandler(silence)
    try:
        yield
    finally:
        root.removeHandler(silence)
