"""Chapter 6: is the configuration the same everywhere, and is it the one that runs?

Sources: Kubernetes' tutorial "Configuring the ensemble" (the start script's flags become zoo.cfg); ZooKeeper's
Administrator's Guide (`conf`, dynamic configuration). ZooKeeper reads zoo.cfg only when it starts, so that a file and
its server may differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Chapter, Check, Evidence, Result

_FLAG = re.compile(r"--(?P<key>[a-z0-9_]+)=(?P<value>\S*)")
_LINE = re.compile(r"^\s*(?P<key>[A-Za-z0-9][\w.]*)\s*=[ \t]*(?P<value>.*?)\s*$", re.MULTILINE)
_SERVER = re.compile(r"server\.(?P<id>\d+)$")

OWN = frozenset(
    {
        "serverId",
        "peerType",
        "clientPortAddress",
        "clientPortBindAddress",
        "dataDirSize",
        "dataLogSize",
        "dynamicConfigFile",
        "version",
    }
)
"""Keys whose value is each member's own: not drift. (The dynamic file's name ends in its version.)"""

WRITTEN = {
    "client_port": "clientPort",
    "data_dir": "dataDir",
    "data_log_dir": "dataLogDir",
    "tick_time": "tickTime",
    "init_limit": "initLimit",
    "sync_limit": "syncLimit",
    "max_client_cnxns": "maxClientCnxns",
    "min_session_timeout": "minSessionTimeout",
    "max_session_timeout": "maxSessionTimeout",
}
"""The start script's flags and what each becomes in zoo.cfg. Purging is chapter 5's."""

IN_EFFECT = (
    "clientPort",
    "tickTime",
    "initLimit",
    "syncLimit",
    "maxClientCnxns",
    "minSessionTimeout",
    "maxSessionTimeout",
)
"""Keys that a zoo.cfg and the word `conf` spell alike."""

Settings = Mapping[str, str]


def configuration(inventory: Inventory) -> Iterable[Check]:
    yield _flags(inventory)
    yield _files(inventory)
    yield _dynamic(inventory)
    yield _written(inventory)
    yield _running(inventory)
    yield _in_effect(inventory)


def settings_in(text: str) -> Settings:
    """key=value lines of a zoo.cfg, a dynamic file or a reply to `conf`; server lines in one spelling."""
    found = {m["key"]: m["value"] for m in _LINE.finditer(text)}
    return {key: _server(value) if _SERVER.match(key) else value for key, value in found.items()}


def _server(value: str) -> str:
    """Without the client's part, and without the role that is meant where none is named."""
    return value.partition(";")[0].strip().removesuffix(":participant")


def flags_in(command: Iterable[str]) -> Settings:
    return {m["key"]: m["value"] for m in _FLAG.finditer(" ".join(command))}


def drift(found: Mapping[str, Settings]) -> dict[str, dict[str, str]]:
    """Member to the keys in which it differs from most, each with a phrase. Where no value is most members' own, all
    that have it differ. A server's own line may name 0.0.0.0, since it is where that server listens."""
    differing: dict[str, dict[str, str]] = {member: {} for member in found}
    for key in sorted({key for settings in found.values() for key in settings} - OWN):
        values = {member: settings.get(key, "") for member, settings in found.items()}
        if _SERVER.match(key):
            values = {m: v for m, v in values.items() if not v.startswith("0.0.0.0:")}
        counted = Counter(values.values()).most_common(2)
        if len(counted) < 2:
            continue
        usual = counted[0][0] if counted[0][1] > counted[1][1] else None
        for member, value in values.items():
            if value != usual:
                differing[member][key] = _phrase(key, value, usual)
    return differing


def _phrase(key: str, value: str, usual: str | None) -> str:
    """Variables and passwords without what they hold."""
    if key.startswith("$") or "password" in key.lower():
        return f"{key} is not as the others have it"
    others = "the others disagree too" if usual is None else f"the others have {usual or 'none'}"
    return f"{key} is {value or 'not set'}, {others}"


def _compared(inventory: Inventory, told: Mapping[str, Known[Settings]], what: str) -> Iterator[Evidence]:
    """Drift as evidence. A rolling update changes one member after another: meanwhile it is no fault."""
    read = {member: known.value for member, known in told.items() if known.value is not None}
    differing = drift(read)
    # A member alone has nobody to differ from, and says nothing of those that could not be read.
    bad = Result.WARN if inventory.ensemble.statefulset.is_updating else Result.FAIL
    for member, known in told.items():
        if known.value is None:
            yield Evidence(member, Result.UNKNOWN, known.why)
        elif not any(settings for settings in read.values()):
            yield Evidence(member, Result.UNKNOWN, f"no {what} in it: it was not understood")
        elif differing[member]:
            yield Evidence(member, bad, "; ".join(differing[member].values()))
        elif len(read) < len(told):
            yield Evidence(member, Result.PASS, f"{len(known.value)} {what}, the same as those that could be read")
        else:
            yield Evidence(member, Result.PASS, f"{len(known.value)} {what}, the same as the others'")


def _flags(inventory: Inventory) -> Check:
    container = inventory.ensemble.container
    told: dict[str, Known[Settings]] = {}
    for pod in inventory.pods:
        own = next((c for c in pod.spec.containers if c.name == container), None)
        told[pod.name] = (
            Known({**flags_in(own.command), **{f"${k}": v for k, v in own.env}, "image": own.image}, "")
            if own is not None
            else Known(None, f"it has no container {container}")
        )
    return Check(
        "configuration.command",
        Chapter.CONFIGURATION,
        "Every member is started alike",
        tuple(_compared(inventory, told, "flags and variables")),
        "Members of two revisions: a rolling update that was paused, or that stopped at a member that is not ready. "
        "Its end makes them alike.",
        by_hand="kubectl get sts zk -o yaml",
    )


def _of_file(inventory: Inventory, name: str) -> dict[str, Known[Settings]]:
    found: dict[str, Known[Settings]] = {}
    for pod in inventory.pods:
        told = inventory.in_pod(pod.name).output(name)
        found[pod.name] = Known(None, told.why) if told.value is None else Known(settings_in(told.value), "")
    return found


def _files(inventory: Inventory) -> Check:
    return Check(
        "configuration.zoo-cfg",
        Chapter.CONFIGURATION,
        "zoo.cfg is the same everywhere",
        tuple(_compared(inventory, _of_file(inventory, "config"), "keys")),
        "Members that count ticks or votes differently lose each other. The file is made when a member starts: let the "
        "rolling update finish, or delete the pod that differs, after zktui's review of its node.",
        by_hand="for i in 0 1 2; do kubectl exec zk-$i -- cat /opt/zookeeper/conf/zoo.cfg; done",
    )


def _dynamic(inventory: Inventory) -> Check:
    told = _of_file(inventory, "dynamic")
    absent = [m for m, known in told.items() if known.value is None and "No such file" in known.why]

    def seen() -> Iterator[Evidence]:
        if told and len(absent) == len(told):
            yield Evidence("", Result.PASS, "no member has one: the server lines stand in zoo.cfg")
            return
        there = {m: known for m, known in told.items() if m not in absent}
        yield from _compared(inventory, there, "keys")
        others = any(known.value is not None for known in there.values())
        for member in absent:
            yield Evidence(member, Result.FAIL if others else Result.PASS, f"it has none{', and others do' * others}")

    return Check(
        "configuration.dynamic",
        Chapter.CONFIGURATION,
        "The dynamic file is the same everywhere",
        tuple(seen()),
        "A member that starts with an older list of servers asks those for their votes until it hears of the newer.",
        by_hand="kubectl exec zk-0 -- cat /opt/zookeeper/conf/zoo.cfg.dynamic",
    )


def _written(inventory: Inventory) -> Check:
    """What the command asks for against what its script has written."""
    container = inventory.ensemble.container

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("config")
            commands = (c.command for c in pod.spec.containers if c.name == container)
            wanted = {k: v for k, v in flags_in(next(commands, ())).items() if k in WRITTEN}
            if told.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)
                continue
            written = settings_in(told.value)
            wrong = [
                f"--{flag}={value}, but {WRITTEN[flag]}={written.get(WRITTEN[flag], '')}"
                for flag, value in wanted.items()
                if written.get(WRITTEN[flag], "") != value
            ]
            if wrong:
                yield Evidence(pod.name, Result.FAIL, "; ".join(wrong))
            elif wanted:
                yield Evidence(pod.name, Result.PASS, f"{len(wanted)} flags stand in zoo.cfg as they were given")
            else:
                yield Evidence(pod.name, Result.PASS, "its command has no flags that make a zoo.cfg")

    return Check(
        "configuration.flags",
        Chapter.CONFIGURATION,
        "The flags have reached zoo.cfg",
        tuple(seen()),
        "The start script of the image does not know the flag, or spells its key as ZooKeeper does not read it.",
        by_hand="kubectl get sts zk -o yaml; kubectl exec zk-0 -- cat /opt/zookeeper/conf/zoo.cfg",
    )


def _said(inventory: Inventory) -> dict[str, Known[Settings]]:
    """What each server says of itself. Its folders are left out: a file's place is compared in the file."""
    found: dict[str, Known[Settings]] = {}
    for pod in inventory.pods:
        told = inventory.words.get((pod.name, "conf"), Known[str]())
        if told.value is None:
            found[pod.name] = Known(None, told.why)
        else:
            said = {k: v for k, v in settings_in(told.value).items() if k not in ("dataDir", "dataLogDir")}
            found[pod.name] = Known(said, "") if said else Known(None, _no_settings(told.value))
    return found


def _no_settings(reply: str) -> str:
    """A server that does not serve answers every word but ruok with a sentence."""
    first = next((line.strip() for line in reply.splitlines() if line.strip()), "")
    return f"its reply to conf has no settings: {first or 'it is empty'}"


_OPEN = (
    "zktui asks by the word conf: add it to 4lw.commands.whitelist (the manifest's --commands_whitelist) to have this "
    "told."
)


_BY_FILE = "conf is closed: by its zoo.cfg, which it read when it started"


def _closed(said: Known[Settings]) -> bool:
    """The server keeps the word to itself, as one of ZooKeeper 3.5 and later does that was not told otherwise."""
    return said.value is None and "not in the whitelist" in said.why


def _running(inventory: Inventory) -> Check:
    """What the servers say; of one that does not say, its file, and never more than a warning for it."""
    said, files = _said(inventory), _of_file(inventory, "config")
    closed = [member for member, known in said.items() if _closed(known)]
    if closed and len(closed) == len(said):
        found = tuple(
            Evidence(e.member, Result.WARN if e.result is Result.PASS else e.result, f"{_BY_FILE}: {e.text}")
            for e in _compared(inventory, files, "keys")
        )
    else:
        found = tuple(_compared(inventory, said, "settings"))
    return Check(
        "configuration.running",
        Chapter.CONFIGURATION,
        "The running servers agree",
        found,
        _OPEN
        if closed
        else "The members that differ read their configuration at another time: restart those, one by "
        "one, the leader last.",
        by_hand="kubectl exec zk-0 -- sh -c 'printf conf | nc 127.0.0.1 2181'",
    )


def _in_effect(inventory: Inventory) -> Check:
    """The file against the server that was started with it."""
    said = _said(inventory)

    def seen() -> Iterator[Evidence]:
        for member, written in _of_file(inventory, "config").items():
            running = said[member]
            if written.value is not None and _closed(running):
                words = f"{_BY_FILE}, {len(written.value)} keys; a change since then would not be seen"
                yield Evidence(member, Result.WARN, words)
                continue
            if written.value is None or running.value is None:
                yield Evidence(member, Result.UNKNOWN, written.why or running.why)
                continue
            both = [k for k in IN_EFFECT if k in written.value and k in running.value]
            wrong = [
                f"{key}={written.value[key]} in the file, {running.value[key]} in the server"
                for key in both
                if written.value[key] != running.value[key]
            ]
            if wrong:
                yield Evidence(member, Result.WARN, "; ".join(wrong))
            elif not both:
                yield Evidence(member, Result.UNKNOWN, "no setting stands both in its zoo.cfg and in its reply to conf")
            else:
                yield Evidence(member, Result.PASS, f"{len(both)} settings are in effect as they are written")

    found = tuple(seen())
    shut = any(_closed(known) for known in said.values())
    return Check(
        "configuration.in-effect",
        Chapter.CONFIGURATION,
        "What is written is what runs",
        found,
        _OPEN if shut else "A server reads its zoo.cfg when it starts: the change waits for its next start.",
    )
