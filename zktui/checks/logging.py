"""Chapter 7: at what level the servers log, where it goes, and what keeps it from filling a disk.

Sources: Kubernetes' tutorial "Configuring logging"; ZooKeeper's release notes (log4j 1.2 until 3.7, reload4j in its
late releases; logback since 3.8); logback's and log4j 1.2's manuals; the kubelet rotates what a container prints
(containerLogMaxSize 10Mi, containerLogMaxFiles 5 unless set).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.kube import Pod

FINE = ("INFO", "WARN")
LOUD = ("DEBUG", "TRACE", "ALL")
LEVELS = ("ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF")
"""From the one that prints everything to the one that prints nothing."""
TUTORIAL = "kubectl exec zk-0 -- cat /usr/etc/zookeeper/log4j.properties"
LOGBACK_SINCE = (3, 8)
RELOAD4J_SINCE = {5: 10, 6: 4, 7: 1}
"""By the minor version of ZooKeeper 3, the first release with reload4j in place of log4j 1 (ZOOKEEPER-4455)."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ATTRIBUTE = re.compile(r"(?P<name>[\w.:-]+)\s*=\s*[\"'](?P<value>[^\"']*)[\"']")
_TAG = re.compile(r"<(?P<tag>property|variable|appender|logger|root)\b(?P<rest>[^>]*)>")
_ROOT = re.compile(r"<root\b.*?(?:</root>|/>)", re.DOTALL)
_REFERENCE = re.compile(r"<appender-ref\b(?P<rest>[^>]*)>")
_APPENDER = re.compile(
    r"<appender\b(?:[^>/]|/(?!>))*?\bname\s*=\s*[\"'](?P<name>[^\"']*)[\"'](?:[^>/]|/(?!>))*>(?P<body>.*?)</appender>",
    re.DOTALL,
)
_ELEMENT = re.compile(r"<(?P<key>file|maxFileSize|maxHistory|maxIndex|totalSizeCap)>\s*(?P<value>[^<]*?)\s*</")
_THRESHOLD = re.compile(r"<filter\b[^>]*ThresholdFilter[^>]*>\s*<level>\s*(?P<level>[^<]*?)\s*</level>", re.DOTALL)
_PROPERTY = re.compile(r"^\s*(?P<key>[\w.]+)\s*[=:]\s*(?P<value>.*?)\s*$", re.MULTILINE)
_SYSTEM = re.compile(r"-D(?P<key>zookeeper\.[\w.]+)=(?P<value>.*?)(?=\s+-|\s+org\.apache\.|$)", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(?P<key>[\w.]+)(?::-(?P<default>[^}]*))?\}")
_RELEASE = re.compile(r"3\.(\d+)\.(\d+)")
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Setup:
    """What one member's logging is set to."""

    framework: str
    level: str
    """The root logger's, in capitals; empty when it is not named."""
    appenders: tuple[str, ...]
    """Classes of the root logger's appenders, without their package."""
    loggers: Mapping[str, str]
    """Others to their own level."""
    kept: tuple[str, ...] = ()
    """Of each appender, where it writes and what bounds that, in words; empty for one that writes no file."""

    thresholds: tuple[str, ...] = ()
    """Of each appender, the level below which it drops what the loggers let through; empty where it has none."""

    @property
    def printed(self) -> str:
        """The finest level that an appender of the root logger writes; empty where none is known."""
        known = [t if _rank(t) > _rank(self.level) else self.level for t in self.thresholds or ("",)]
        return min(known, key=_rank)

    @property
    def console(self) -> bool:
        return any("Console" in name for name in self.appenders)

    @property
    def growing(self) -> bool:
        """It writes a file that nothing turns."""
        return any("File" in name and "Rolling" not in name for name in self.appenders)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def logback(text: str, system: Mapping[str, str]) -> Setup:
    """Of a logback.xml. `system`: the process's own -D properties, which win over the file's."""
    plain = _COMMENT.sub("", text)
    tags = [(m["tag"], {a["name"]: a["value"] for a in _ATTRIBUTE.finditer(m["rest"])}) for m in _TAG.finditer(plain)]
    given = {a.get("name", ""): a.get("value", "") for tag, a in tags if tag in ("property", "variable")}
    values = {**given, **system}
    classes = {a.get("name", ""): a.get("class", "") for tag, a in tags if tag == "appender"}
    root = _ROOT.search(plain)
    level = next((a.get("level", "") for tag, a in tags if tag == "root"), "")
    bodies = {m["name"]: m["body"] for m in _APPENDER.finditer(plain)}
    references = _references(root[0] if root else "", bodies, values)
    written = [
        {m["key"]: _filled(m["value"], values) for m in _ELEMENT.finditer(bodies.get(n, ""))} for n in references
    ]
    thresholds = [
        _filled(m["level"], values).upper() if (m := _THRESHOLD.search(bodies.get(n, ""))) else "" for n in references
    ]
    loggers = {a.get("name", ""): a.get("level", "") for tag, a in tags if tag == "logger" and a.get("level")}
    return Setup(
        "logback",
        _filled(level, values).upper(),
        tuple(_short(classes.get(name, "")) for name in references),
        {name: _filled(value, values).upper() for name, value in loggers.items()},
        tuple(_bounds(found, ("maxFileSize", "maxHistory", "maxIndex", "totalSizeCap")) for found in written),
        tuple(thresholds),
    )


def _references(element: str, bodies: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """The appenders that it names; in place of one that only hands on (AsyncAppender), those that it hands on to."""
    names = [
        _filled(attribute["value"], values)
        for reference in _REFERENCE.finditer(element)
        for attribute in _ATTRIBUTE.finditer(reference["rest"])
        if attribute["name"] == "ref"
    ]
    rest = {name: body for name, body in bodies.items() if name not in names}
    return [each for name in names for each in _references(bodies.get(name, ""), rest, values) or [name]]


def log4j(text: str, system: Mapping[str, str]) -> Setup:
    """Of a log4j.properties, which reload4j reads too."""
    values = {**{m["key"]: m["value"] for m in _PROPERTY.finditer(text)}, **system}
    level, *names = [part.strip() for part in _filled(values.get("log4j.rootLogger", ""), values).split(",")]
    prefixes = ("log4j.logger.", "log4j.category.")
    loggers = {
        key.removeprefix(prefix): _filled(value, values).split(",")[0].strip().upper()
        for prefix in prefixes
        for key, value in values.items()
        if key.startswith(prefix)
    }
    appenders = tuple(_short(values.get(f"log4j.appender.{name}", "")) for name in names)
    keys = ("File", "MaxFileSize", "MaxBackupIndex", "DatePattern")
    written = [{k: _filled(values.get(f"log4j.appender.{n}.{k}", ""), values) for k in keys} for n in names]
    every = _filled(values.get("log4j.threshold", ""), values).upper()
    own = [_filled(values.get(f"log4j.appender.{n}.Threshold", ""), values).upper() for n in names]
    thresholds = tuple(each if _rank(each) > _rank(every) else every for each in own)
    kept = tuple(_bounds(found, keys[1:]) for found in written)
    return Setup("log4j", level.upper(), appenders, loggers, kept, thresholds)


def _bounds(settings: Mapping[str, str], keys: Iterable[str]) -> str:
    """The file that an appender writes, with what bounds it, as its configuration spells that."""
    file = settings.get("file", "") or settings.get("File", "")
    return ", ".join([file, *(f"{key} {settings[key]}" for key in keys if settings.get(key))]) if file else ""


def _filled(value: str, values: Mapping[str, str]) -> str:
    """With its variables replaced, and theirs."""
    for _ in range(5):
        value = _VARIABLE.sub(lambda m: values.get(m["key"], m["default"] or ""), value)
    return value.strip()


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def logging(inventory: Inventory) -> Iterable[Check]:
    setups = {pod.name: setup_of(inventory, pod) for pod in inventory.pods}
    yield _levels(setups, _by_hand(inventory, setups))
    yield _destinations(setups)


def setup_of(inventory: Inventory, pod: Pod) -> Known[Setup]:
    """By the file that this member's version reads; by the one that exists where its version is not known."""
    inside = inventory.in_pod(pod.name)
    processes = inside.output("processes").value or ""
    server = "\n".join(line for line in processes.splitlines() if "QuorumPeerMain" in line)
    system = {m["key"]: m["value"].strip("\"'") for m in _SYSTEM.finditer(server)}
    new, old = inside.output("logback.xml"), inside.output("log4j.properties")
    report = inventory.reports.get(pod.uid)
    version = _VERSION.match(report.version) if report is not None else None
    if version is not None:
        reads_logback = (int(version[1]), int(version[2])) >= LOGBACK_SINCE
    else:
        reads_logback = new.value is not None
    told = new if reads_logback else old
    if told.value is None:
        return Known(None, told.why)
    if reads_logback:
        return Known(logback(told.value, system), "")
    found = _log4j_of(server, report.version if report is not None else "")
    return Known(replace(log4j(told.value, system), framework=found), "")


def _log4j_of(server: str, version: str) -> str:
    """Which of the two that read log4j.properties, by the server's class path; where that names no jar, by its
    version."""
    if "/reload4j-" in server:
        return "reload4j"
    if re.search(r"/log4j-1\.", server):
        return "log4j 1"
    parts = _RELEASE.match(version)
    if parts is None:
        return "log4j"
    first = RELOAD4J_SINCE.get(int(parts[1]))
    return "reload4j" if first is not None and int(parts[2]) >= first else "log4j 1"


def _by_hand(inventory: Inventory, setups: Mapping[str, Known[Setup]]) -> str:
    """The tutorial's line, for the file that this version reads."""
    for member, known in setups.items():
        where = inventory.in_pod(member).places
        if known.value is not None and known.value.framework == "logback" and where.config_folder:
            path = where.logging if where.logging.endswith(".xml") else f"{where.config_folder}/logback.xml"
            return f"kubectl exec zk-0 -- cat {path}"
    return TUTORIAL


def _levels(setups: Mapping[str, Known[Setup]], by_hand: str) -> Check:
    def seen() -> Iterator[Evidence]:
        for member, known in setups.items():
            setup = known.value
            if setup is None:
                yield Evidence(member, Result.UNKNOWN, known.why)
                continue
            loud = [f"{name} {level}" for name, level in setup.loggers.items() if level in LOUD]
            others = "".join(f", {name} {level}" for name, level in setup.loggers.items())
            cut = zip(setup.appenders, setup.thresholds, strict=False)
            others += "".join(
                f", {name or 'an appender'} from {level} on" for name, level in cut if _rank(level) > _rank(setup.level)
            )
            words = f"{setup.framework}: root {setup.level or 'not set'}{others}"
            fine = setup.level in FINE and setup.printed in FINE and not loud
            yield Evidence(member, Result.PASS if fine else Result.WARN, words)

    return Check(
        "logging.level",
        Chapter.LOGGING,
        "The servers log enough, and no more",
        tuple(seen()),
        "DEBUG and TRACE slow a busy server and bury what matters; above WARN an election leaves no trace.",
        by_hand=by_hand,
    )


def _where(setup: Setup) -> str:
    """Its appenders, each with the file that it writes."""
    kept = (*setup.kept, *("" for _ in setup.appenders))
    named = ((name or "an appender of no known class", file) for name, file in zip(setup.appenders, kept, strict=False))
    return ", ".join(f"{name} ({file})" if file else name for name, file in named)


def _destinations(setups: Mapping[str, Known[Setup]]) -> Check:
    def seen() -> Iterator[Evidence]:
        for member, known in setups.items():
            setup = known.value
            if setup is None:
                yield Evidence(member, Result.UNKNOWN, known.why)
                continue
            where = _where(setup) or "nowhere"
            if setup.growing:
                yield Evidence(member, Result.WARN, f"{where}: a file that nothing turns")
            elif not setup.console:
                yield Evidence(member, Result.WARN, f"{where}: kubectl logs shows nothing of it")
            else:
                yield Evidence(member, Result.PASS, f"{where}: for kubectl logs; the kubelet turns it")

    return Check(
        "logging.destination",
        Chapter.LOGGING,
        "kubectl logs has them, and they rotate",
        tuple(seen()),
        "What a container prints is kept by the kubelet and turned at 10 MiB; a file in the container is read by "
        "nobody, goes with it, or fills its disk. Name a ConsoleAppender in the root logger.",
        by_hand="kubectl logs zk-0 --tail 20",
    )
