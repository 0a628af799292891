"""From a pod's command line to a ZooKeeper server: zoo.cfg, myid and the JVM's arguments.

The command is the Kubernetes tutorial's ``start-zookeeper --servers=3 --data_dir=… …`` (also within
``sh -c "…"``); what its script writes is written here, for the pod's own folders and address.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zktui.demo.network import own_name
from zktui.demo.objects import Object, children
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

START = "start-zookeeper"
DEFAULTS = {
    "servers": "1",
    "data_dir": "/var/lib/zookeeper/data",
    "data_log_dir": "/var/lib/zookeeper/data/log",
    "log_dir": "/var/log/zookeeper",
    "conf_dir": "/opt/zookeeper/conf",
    "client_port": "2181",
    "election_port": "3888",
    "server_port": "2888",
    "tick_time": "2000",
    "init_limit": "10",
    "sync_limit": "5",
    "heap": "2G",
    "max_client_cnxns": "60",
    "snap_retain_count": "3",
    "purge_interval": "0",
    "max_session_timeout": "40000",
    "min_session_timeout": "4000",
    "log_level": "INFO",
    "commands_whitelist": "*",
}
"""The script's flags. ``commands_whitelist`` is our manifest's own: the tutorial's image (ZooKeeper 3.4) knows no
whitelist and answers every four-letter word, and so does a server here without the flag."""

JVM = (
    "-Xms16m",
    "-Xmx96m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
)
"""Small instead of the flag ``--heap``: a whole ensemble shares one machine. About 75 MB of memory each. The JVM's
own files on its work are named by its user and process number, which several pods have alike."""

CLASSPATH = "/apache-zookeeper-bin/lib/*"
"""Where the official image has ZooKeeper."""

FLAG_VARIABLES = ("JVMFLAGS", "SERVER_JVMFLAGS", "JAVA_TOOL_OPTIONS")
LOGBACK = """<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{{ISO8601}} [myid:%X{{myid}}] - %-5p [%t:%C{{1}}@%L] - %m%n</pattern></encoder>
  </appender>
  <root level="{level}"><appender-ref ref="CONSOLE"/></root>
</configuration>
"""
"""ZooKeeper's own pattern (conf/logback.xml of a release)."""

LOG4J = """zookeeper.root.logger=CONSOLE
zookeeper.console.threshold={level}
log4j.rootLogger=${{zookeeper.root.logger}}
log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
log4j.appender.CONSOLE.Threshold=${{zookeeper.console.threshold}}
log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout
log4j.appender.CONSOLE.layout.ConversionPattern=%d{{ISO8601}} [myid:%X{{myid}}] - %-5p [%t:%C{{1}}@%L] - %m%n
"""
"""What the tutorial's image shows instead (ZooKeeper 3.4). The server here reads the other one, to the same effect."""
IMAGE_FILES = {
    "/usr/etc/zookeeper/log4j.properties": LOG4J,
    "/usr/bin/zookeeper-ready": "#!/usr/bin/env bash\nOK=$(echo ruok | nc 127.0.0.1 $1)\n"
    '[ "$OK" = imok ] && exit 0 || exit 1\n',
}
"""What the tutorial's image has beside ZooKeeper, where its start script is on the PATH."""


class BadCommand(Exception):
    """The container's command can't be carried out; the message is what the container prints as it ends."""


@dataclass(frozen=True)
class ServerConfig:
    """What the command says about the server that it starts."""

    flags: dict[str, str]
    ordinal: int
    name: str
    domain: str

    @property
    def myid(self) -> int:
        return self.ordinal + 1

    @property
    def client_port(self) -> int:
        return int(self.flags["client_port"])

    def zoo_cfg(self) -> str:
        """The file as a container shows it, in the order that the tutorial prints."""
        get = self.flags
        lines = [
            f"clientPort={get['client_port']}",
            f"dataDir={get['data_dir']}",
            f"dataLogDir={get['data_log_dir']}",
            f"tickTime={get['tick_time']}",
            f"initLimit={get['init_limit']}",
            f"syncLimit={get['sync_limit']}",
            f"maxClientCnxns={get['max_client_cnxns']}",
            f"minSessionTimeout={get['min_session_timeout']}",
            f"maxSessionTimeout={get['max_session_timeout']}",
            f"autopurge.snapRetainCount={get['snap_retain_count']}",
            f"autopurge.purgeInterval={get['purge_interval']}",
            f"4lw.commands.whitelist={get['commands_whitelist']}",
        ]
        ports = f"{get['server_port']}:{get['election_port']}"
        for place in range(int(get["servers"])):
            lines.append(f"server.{place + 1}={self.name}-{place}.{self.domain}:{ports}")
        return "\n".join(lines) + "\n"


def command_line(config: ServerConfig, container: Object) -> str:
    """The JVM's, as zkServer.sh makes it of the start script's flags. JAVA_TOOL_OPTIONS is not on it."""
    given = {str(v.get("name")): str(v.get("value") or "") for v in children(container, "env")}
    options = [word for name in FLAG_VARIABLES[:2] for word in given.get(name, "").split()]
    conf = config.flags["conf_dir"]
    return " ".join(
        [
            "java",
            f"-Xmx{_mebibytes(config.flags['heap'])}m",
            *options,
            "-Dzookeeper.log.dir=/logs",
            f"-cp {conf}:{CLASSPATH}",
            f"org.apache.zookeeper.server.quorum.QuorumPeerMain {conf}/zoo.cfg",
        ]
    )


def _mebibytes(heap: str) -> str:
    """``512M`` and ``2G`` in MiB, as the start script has numfmt do it; what is no size as it stands."""
    number, unit = heap[:-1], heap[-1:].upper()
    if unit in ("M", "G") and number.isdigit():
        return str(int(number) * (1024 if unit == "G" else 1))
    return heap


def command_words(container: Object) -> list[str]:
    """The words that the container runs, ``sh -c "…"`` unwrapped."""
    return unwrap([*children(container, "command"), *children(container, "args")])


def keeps_its_shell(container: Object) -> bool:
    """Is process 1 a shell that waits for its command? ``sh -c`` is, without an ``exec``: dash replaces itself by
    nothing else, and as process 1 it ignores SIGTERM, so that such a container ends by SIGKILL after its grace.
    """
    words = [*children(container, "command"), *children(container, "args")]
    shell = len(words) > 2 and PurePosixPath(words[0]).name == "sh" and words[1] == "-c"
    return shell and words[2].split()[:1] != ["exec"]


def unwrap(words: Sequence[str]) -> list[str]:
    """``sh -c "a b"`` -> ``a b``; raises :class:`BadCommand` for a script that is more than one command."""
    if len(words) < 3 or PurePosixPath(words[0]).name not in ("sh", "bash") or words[1] != "-c":
        return list(words)
    lexer = shlex.shlex(words[2], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        found = list(lexer)
    except ValueError as why:
        raise BadCommand(f"sh: 1: Syntax error: {why}") from why
    if found[:1] == ["exec"]:
        found = found[1:]
    if any(set(word) & set("();<>|&$`") for word in found):
        raise BadCommand(
            "sh: the rehearsal cluster's shell runs single commands only, without redirections or variables"
        )
    return found


def parse(pod: Object, words: Sequence[str]) -> ServerConfig:
    """Raises :class:`BadCommand` for a flag or a host name that the script refuses."""
    flags = dict(DEFAULTS)
    for word in words[1:]:
        name, found, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not found or name not in DEFAULTS:
            raise BadCommand(f"start-zookeeper: unknown flag {word}")
        flags[name] = value
    for name in ("servers", "client_port", "server_port", "election_port", "tick_time", "init_limit", "sync_limit"):
        if not flags[name].isdigit():
            raise BadCommand(f"start-zookeeper: --{name} takes a number, not {flags[name]}")
    host, _, domain = own_name(pod).partition(".")
    name, _, ordinal = host.rpartition("-")
    if not name or not ordinal.isdigit():
        raise BadCommand(f"Failed to parse name and ordinal of Pod {host}")
    return ServerConfig(flags, int(ordinal), name, domain)


@dataclass(frozen=True)
class Launch:
    """All that the server's start needs. ``ip`` is the pod's; ``hosts`` its hosts file."""

    config: ServerConfig
    pod: Object
    container: Object
    files: PodFiles
    ip: str
    hosts: Path

    def _inside(self, path: str) -> Path:
        return self.files.path(self.container, path)

    def prepare(self) -> None:
        """Write zoo.cfg and myid where the container would see them, and what our JVM reads instead."""
        flags = self.config.flags
        data, logs = self._inside(flags["data_dir"]), self._inside(flags["data_log_dir"])
        conf, ours = self._inside(flags["conf_dir"]), self.files.private(self.container)
        for folder in (data, logs, conf, ours):
            folder.mkdir(parents=True, exist_ok=True)
        (data / "myid").write_text(f"{self.config.myid}\n")
        (conf / "zoo.cfg").write_text(self.config.zoo_cfg())
        (conf / "logback.xml").write_text(LOGBACK.format(level=flags["log_level"]))
        (ours / "zoo.cfg").write_text(self._real_cfg(data, logs))
        for name, text in IMAGE_FILES.items() if command_words(self.container)[0] == START else ():
            path = self._inside(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(level=flags["log_level"]) if text is LOG4J else text)

    def _real_cfg(self, data: Path, logs: Path) -> str:
        """zoo.cfg with the folders' places on this machine, listening on the pod's address only."""
        replaced = {"dataDir": str(data), "dataLogDir": str(logs)}
        lines: list[str] = []
        for line in self.config.zoo_cfg().splitlines():
            key, _, value = line.partition("=")
            lines.append(f"{key}={replaced.get(key, value)}")
        lines += [f"clientPortAddress={self.ip}", f"admin.serverAddress={self.ip}"]
        return "\n".join(lines) + "\n"

    def command(self, distribution: Distribution) -> list[str]:
        """The JVM's command line."""
        conf = self._inside(self.config.flags["conf_dir"])
        return [
            str(distribution.java),
            *JVM,
            f"-Djdk.net.hosts.file={self.hosts}",
            f"-Dlogback.configurationFile={conf / 'logback.xml'}",
            *self._manifest_flags(),
            "-cp",
            distribution.classpath,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(self.files.private(self.container) / "zoo.cfg"),
        ]

    def _manifest_flags(self) -> list[str]:
        """The system properties (-D) that the manifest sets; the heap and the collector stay ours."""
        found: list[str] = []
        for variable in children(self.container, "env"):
            if variable.get("name") in FLAG_VARIABLES:
                found += [self._translated(word) for word in str(variable.get("value") or "").split()]
        return [word for word in found if word.startswith("-D")]

    def _translated(self, word: str) -> str:
        """A property whose value is a file in the container, pointed at that file's place here."""
        key, found, value = word.partition("=")
        if found and value.startswith("/") and self._inside(value).exists():
            return f"{key}={self._inside(value)}"
        return word


def is_zookeeper(words: Sequence[str]) -> bool:
    """Does this command start a ZooKeeper server?"""
    return bool(words) and PurePosixPath(words[0]).name == START
