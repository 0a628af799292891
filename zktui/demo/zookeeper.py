"""Finding Java and ZooKeeper 3.9, and filling our own cache of ZooKeeper through Maven.

In this order: ``ZOOKEEPER_HOME`` (a release as Apache packs it), a distribution's package, our own cache under
``$XDG_CACHE_HOME/zktui``, which is filled through ``mvn`` when it is empty. Nothing is downloaded otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

VERSION = "3.9.4"
MINIMUM = (3, 9)
MINIMUM_JAVA = 11
"""ZooKeeper 3.9 itself runs on Java 8; the switches we start it with (``jdk.net.hosts.file``) need 9, and 11 is
the oldest release with long support that has them."""

DEPENDENCIES = (
    f"org.apache.zookeeper:zookeeper:{VERSION}",
    "io.dropwizard.metrics:metrics-core:4.1.12.1",
    "org.xerial.snappy:snappy-java:1.1.10.5",
    "org.eclipse.jetty:jetty-server:9.4.57.v20241219",
    "org.eclipse.jetty:jetty-servlet:9.4.57.v20241219",
    "commons-cli:commons-cli:1.5.0",
    "ch.qos.logback:logback-classic:1.3.15",
    "com.fasterxml.jackson.core:jackson-databind:2.15.2",
    "jline:jline:2.14.6",
)
"""What a server and ``zkCli.sh`` need: ZooKeeper, and what its POM leaves to the packager (scope ``provided``
or optional), in the versions of ZooKeeper's own parent POM."""

UNUSED = ("netty-tcnative-boringssl-static", "netty-transport-native-epoll")
"""Native libraries of Netty's TLS, by far the largest files; members here speak through NIO."""

COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
PACKAGED = (Path("/usr/share/zookeeper"), Path("/usr/share/java"), Path("/opt/zookeeper"))

Progress = Callable[[str], None]


class MissingSoftware(Exception):
    """Java, Maven or ZooKeeper is missing or too old; the message says what to install."""


@dataclass(frozen=True)
class Distribution:
    """A Java and the ZooKeeper that it runs. ``version`` is the server's own, such as ``3.9.4``."""

    java: Path
    classpath: str
    version: str


def find(progress: Progress, environ: Mapping[str, str] = os.environ) -> Distribution:
    """Java and ZooKeeper to run members with; fills the cache when there is no other way (minutes).

    Blocking: call it in a thread. Raises :class:`MissingSoftware`.
    """
    java = find_java(environ)
    home = environ.get("ZOOKEEPER_HOME")
    if home:
        found = _installed(Path(home))
        if found is None:
            raise MissingSoftware(f"ZOOKEEPER_HOME={home} holds no ZooKeeper of version {_dotted(MINIMUM)} or later.")
        return Distribution(java, *found)
    for place in PACKAGED:
        found = _installed(place)
        if found is not None:
            return Distribution(java, *found)
    cache = cache_folder(environ)
    if not (cache / "lib").is_dir():
        fill_cache(cache, progress, environ)
    return Distribution(java, str(cache / "lib" / "*"), VERSION)


# -- Java --------------------------------------------------------------------------------------------------


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The ``java`` of ``JAVA_HOME``, else the one on ``PATH``; raises :class:`MissingSoftware`."""
    advice = f"Install a JDK {MINIMUM_JAVA} or later (on Debian: apt-get install openjdk-17-jre-headless)"
    home = environ.get("JAVA_HOME")
    if home:
        java = Path(home, "bin", "java")
        if not os.access(java, os.X_OK):
            raise MissingSoftware(f"JAVA_HOME={home} holds no bin/java. {advice}, or correct JAVA_HOME.")
    else:
        on_path = shutil.which("java", path=environ.get("PATH"))
        if on_path is None:
            raise MissingSoftware(f"ZooKeeper needs Java, and there is no java on PATH. {advice}, or set JAVA_HOME.")
        java = Path(on_path)
    release = java_release(java)
    if release < MINIMUM_JAVA:
        raise MissingSoftware(f"{java} is Java {release}, too old. {advice}.")
    return java


def java_release(java: Path) -> int:
    """The feature release (8, 11, 17 …) that ``java -version`` tells; raises :class:`MissingSoftware`."""
    try:
        asked = subprocess.run(  # noqa: S603 - the user's own java, found as they set it
            [java, "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        raise MissingSoftware(f"{java} does not run: {why}") from why
    match = re.search(r'version "(?:1\.)?(\d+)', asked.stderr + asked.stdout)
    if match is None:
        raise MissingSoftware(f"{java} -version does not tell a version: {asked.stderr.strip()[:200]}")
    return int(match[1])


# -- an installed ZooKeeper ----------------------------------------------------------------------------------


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _installed(home: Path) -> tuple[str, str] | None:
    """(class path, version) of a ZooKeeper that is new enough in that folder; None if there is none."""
    for folder in (home / "lib", home):
        for jar in sorted(folder.glob("zookeeper*.jar")):
            version = jar_version(jar)
            if version is None or tuple(map(int, version.split(".")[:2])) < MINIMUM:
                continue
            return _classpath(folder), version
    return None


def _classpath(folder: Path) -> str:
    # Debian keeps the jars of every Java package in this one folder; the server's own names those it needs in
    # its manifest's Class-Path.
    return str(folder / ("zookeeper.jar" if folder == Path("/usr/share/java") else "*"))


def jar_version(jar: Path) -> str | None:
    """The version of a ZooKeeper server's jar, from its manifest; None if it isn't one."""
    try:
        with zipfile.ZipFile(jar) as archive:
            if "org/apache/zookeeper/server/quorum/QuorumPeerMain.class" not in archive.namelist():
                return None
            manifest = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
    match = re.search(r"^(?:Implementation|Bundle)-Version: *(\d+\.\d+\.\d+)", manifest, re.MULTILINE)
    match = match or re.search(r"-(\d+\.\d+\.\d+)", jar.name)
    return match[1] if match else None


# -- our own cache -------------------------------------------------------------------------------------------


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where our own ZooKeeper is, or will be: ``$XDG_CACHE_HOME/zktui/zookeeper-3.9.4``."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home(), ".cache")
    return Path(base, "zktui", f"zookeeper-{VERSION}")


def fill_cache(cache: Path, progress: Progress, environ: Mapping[str, str] = os.environ) -> None:
    """Let Maven copy ZooKeeper and what it needs into ``cache``/lib; all of it or nothing.

    Safe against a second filling at the same time: the folder appears by one rename.
    """
    maven = shutil.which("mvn", path=environ.get("PATH"))
    if maven is None:
        raise MissingSoftware(
            f"There is no ZooKeeper {_dotted(MINIMUM)} on this machine, and no mvn on PATH to get it with. Install "
            "Maven (on Debian: apt-get install maven), or unpack a ZooKeeper release and set ZOOKEEPER_HOME."
        )
    progress(f"getting ZooKeeper {VERSION} through Maven, once, into {cache}")
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{cache.name}-", dir=cache.parent) as folder:
        work = Path(folder)
        (work / "pom.xml").write_text(pom())
        (work / "home").mkdir()
        _run_maven([maven, "-B", "-f", str(work / "pom.xml"), COPY_GOAL], work / "home" / "lib", progress, environ)
        if not any((work / "home" / "lib").glob(f"zookeeper-{VERSION}.jar")):
            raise MissingSoftware("Maven ended well but did not copy ZooKeeper; see `mvn -version` and its settings.")
        try:
            (work / "home").rename(cache)
        except OSError:
            # Another zktui was first: a rename onto a folder that is not empty fails, and its copy will do.
            if not (cache / "lib").is_dir():
                raise


def _run_maven(command: list[str], lib: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    command = [*command, "-DincludeScope=runtime", f"-DoutputDirectory={lib}"]
    told: list[str] = []
    with subprocess.Popen(  # noqa: S603 - the user's own mvn
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(environ),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line.rstrip())
            if match := re.search(r"Downloaded from \S+: \S*/(\S+\.jar)", line):
                progress(f"  {match[1]}")
    if process.returncode != 0:
        failures = [line for line in told if "ERROR" in line][:5] or told[-5:]
        raise MissingSoftware("Maven could not get ZooKeeper; is there a network?\n" + "\n".join(failures))


def pom() -> str:
    """A project that does nothing but depend on what a server needs."""
    entries: list[str] = []
    for coordinates in DEPENDENCIES:
        group, artifact, version = coordinates.split(":")
        entries.append(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            f"<exclusions>{''.join(_exclusion(name) for name in UNUSED)}</exclusions></dependency>"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>zktui</groupId><artifactId>members</artifactId><version>1</version>"
        f"<dependencies>{''.join(entries)}</dependencies></project>\n"
    )


def _exclusion(artifact: str) -> str:
    return f"<exclusion><groupId>io.netty</groupId><artifactId>{artifact}</artifactId></exclusion>"
