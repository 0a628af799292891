"""The membership of servers that tell it to nobody, as they were given it: ZooKeeper 3.4 reads its zoo.cfg when it
starts, has no dynamic configuration, and answers neither `/zookeeper/config` nor a `conf` with server lines (its
Administrator's Guide). What is written there is what such a server runs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from zktui.core.kube import Pod
from zktui.core.ports import Answer, Executor, Refused, Reply, Unanswered
from zktui.core.zookeeper import Ensemble, EnsembleConfig, Server
from zktui.ensemble.words import Unreadable, named, parse_config

SOURCE = "zoo.cfg"
OLD = "3.4."
TIMEOUT = 4.0
"""Seconds for each command in a container."""

_FILE = re.compile(r"\bQuorumPeerMain\s+(?P<path>/\S+)")


def untold(versions: Iterable[str]) -> bool:
    """Whether servers of these versions tell their membership to nobody. Empty: not known; then another's counts."""
    known = [version for version in versions if version]
    return bool(known) and all(version.startswith(OLD) for version in known)


class WrittenMembership:
    """Reads zoo.cfg in the containers, which takes `pods/exec`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._paths: dict[str, str] = {}
        """Pod UID to where its server was told that its configuration is."""

    async def read(self, ensemble: Ensemble, pods: Sequence[Pod], asked: float) -> Reply[EnsembleConfig]:
        """Of every pod that runs; those that can be read have to agree. `asked` becomes the configuration's stamp."""
        found = await asyncio.gather(*(self._one(ensemble, pod) for pod in pods))
        configs = [config for config in found if isinstance(config, EnsembleConfig)]
        if not configs:
            reasons = "; ".join(dict.fromkeys(why for why in found if isinstance(why, str)))
            return Unanswered(f"ZooKeeper {OLD}x tells its voters to nobody, and zoo.cfg: {reasons}", asked)
        if len({tuple(map(_likened, config.servers)) for config in configs}) > 1:
            return Unanswered("the members' zoo.cfg name different servers", asked)
        return Answer(replace(configs[0], source=SOURCE, at=asked), asked)

    async def _one(self, ensemble: Ensemble, pod: Pod) -> EnsembleConfig | str:
        """Or why not."""
        path = self._paths.get(pod.uid, "")
        if not path:
            listed = await self._run(ensemble, pod, "ps", "-efww")
            if not isinstance(listed, Answer):
                return f"{pod.name}: {_why(listed)}"
            match = _FILE.search(listed.value)
            if match is None:
                return f"{pod.name}: no server among its processes names one"
            path = self._paths[pod.uid] = match["path"]
        written = await self._run(ensemble, pod, "cat", path)
        if not isinstance(written, Answer):
            return f"{pod.name}: {_why(written)}"
        try:
            config = parse_config(written.value)
        except Unreadable as error:
            return f"{pod.name}: {error}"
        return named(config, pod) if config.servers else f"{pod.name}: it has no server lines"

    async def _run(self, ensemble: Ensemble, pod: Pod, *command: str) -> Reply[str]:
        ran = await self._executor.run(pod.key, ensemble.container, command, timeout=TIMEOUT)
        if not isinstance(ran, Answer):
            return ran
        if ran.value.code != 0:
            return Unanswered(ran.value.err.strip() or f"{command[0]} ended with {ran.value.code}", ran.at)
        return Answer(ran.value.out, ran.at)


def _likened(server: Server) -> Server:
    """With its pod's name for a host: a member's own line may have no more."""
    label = server.host.partition(".")[0]
    return server if label.isdecimal() else replace(server, host=label)


def _why(reply: Reply[str]) -> str:
    return reply.message if isinstance(reply, Refused) else getattr(reply, "why", "")
