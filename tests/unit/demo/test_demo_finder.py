"""Finding Java and ZooKeeper, with programs and jars that only look like them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from zktui.demo import zookeeper
from zktui.demo.zookeeper import VERSION, MissingSoftware, cache_folder, fill_cache, find, find_java, jar_version, pom

SERVER = "org/apache/zookeeper/server/quorum/QuorumPeerMain.class"


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def java(folder: Path, version: str = "17.0.15") -> Path:
    return program(folder, "java", f"echo 'openjdk version \"{version}\"' >&2")


def jar(path: Path, version: str, *, server: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nImplementation-Version: {version}-abc\r\n")
        if server:
            archive.writestr(SERVER, b"")


def quiet(_line: str) -> None:
    pass


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine with Java and nothing else; no package of its own distribution counts."""
    monkeypatch.setattr(zookeeper, "PACKAGED", (tmp_path / "share",))
    java(tmp_path / "bin")
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_java_home_comes_before_the_path(environ: dict[str, str], tmp_path: Path):
    assert find_java(environ) == tmp_path / "bin/java"
    java(tmp_path / "jdk/bin")
    assert find_java({**environ, "JAVA_HOME": str(tmp_path / "jdk")}) == tmp_path / "jdk/bin/java"


@pytest.mark.parametrize("text", ["1.8.0_392", "9.0.1"])
def test_an_old_java_is_refused_with_what_to_install(environ: dict[str, str], tmp_path: Path, text: str):
    java(tmp_path / "bin", text)
    with pytest.raises(MissingSoftware, match=r"too old\. Install a JDK 11 or later"):
        find_java(environ)


def test_no_java_is_told_with_what_to_install(tmp_path: Path):
    with pytest.raises(MissingSoftware, match=r"no java on PATH\. Install a JDK"):
        find_java({"PATH": str(tmp_path)})
    with pytest.raises(MissingSoftware, match="holds no bin/java"):
        find_java({"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)})


def test_zookeeper_home_is_used(environ: dict[str, str], tmp_path: Path):
    jar(tmp_path / "home/lib/zookeeper-3.9.3.jar", "3.9.3")
    jar(tmp_path / "home/lib/zookeeper-jute-3.9.3.jar", "3.9.3", server=False)
    found = find(quiet, {**environ, "ZOOKEEPER_HOME": str(tmp_path / "home")})
    assert (found.version, found.classpath) == ("3.9.3", str(tmp_path / "home/lib/*"))


def test_a_zookeeper_home_that_is_too_old_or_empty_is_refused_and_not_passed_over(
    environ: dict[str, str], tmp_path: Path
):
    environ["ZOOKEEPER_HOME"] = str(tmp_path / "home")
    with pytest.raises(MissingSoftware, match=r"holds no ZooKeeper of version 3\.9"):
        find(quiet, environ)
    jar(tmp_path / "home/lib/zookeeper-3.8.4.jar", "3.8.4")
    with pytest.raises(MissingSoftware, match=r"holds no ZooKeeper of version 3\.9"):
        find(quiet, environ)


def test_a_package_is_used_when_it_is_new_enough(environ: dict[str, str], tmp_path: Path):
    (tmp_path / "cache/zktui" / f"zookeeper-{VERSION}" / "lib").mkdir(parents=True)
    jar(tmp_path / "share/zookeeper.jar", "3.8.0")
    assert find(quiet, environ).version == VERSION
    jar(tmp_path / "share/zookeeper.jar", "3.10.1")
    assert find(quiet, environ).version == "3.10.1"


def test_the_cache_is_filled_through_maven_once(environ: dict[str, str], tmp_path: Path):
    calls = tmp_path / "calls"
    script = (
        f'echo "$@" >> {calls}; for word; do case $word in -DoutputDirectory=*) out=${{word#*=}} ;; esac; done; '
        f"mkdir -p $out; touch $out/zookeeper-{VERSION}.jar; "
        "echo '[INFO] Downloaded from central: somewhere/zookeeper.jar (1 kB)'"
    )
    program(tmp_path / "bin", "mvn", script)
    told: list[str] = []
    found = find(told.append, environ)
    assert found.classpath == str(cache_folder(environ) / "lib" / "*")
    assert (cache_folder(environ) / "lib" / f"zookeeper-{VERSION}.jar").exists()
    assert told == [f"getting ZooKeeper {VERSION} through Maven, once, into {cache_folder(environ)}", "  zookeeper.jar"]
    find(told.append, environ)
    assert len(calls.read_text().splitlines()) == 1
    assert list((tmp_path / "cache/zktui").iterdir()) == [cache_folder(environ)]


def test_a_failure_of_maven_is_told_and_leaves_no_half_cache(environ: dict[str, str], tmp_path: Path):
    program(tmp_path / "bin", "mvn", "echo '[ERROR] Unknown host'; exit 1")
    with pytest.raises(MissingSoftware, match="Unknown host"):
        find(quiet, environ)
    assert list((tmp_path / "cache/zktui").iterdir()) == []


def test_neither_zookeeper_nor_maven_is_told_with_both_ways_out(environ: dict[str, str], tmp_path: Path):
    environ["PATH"] = str(tmp_path / "bin")
    with pytest.raises(MissingSoftware, match=r"Install\s+Maven .*ZOOKEEPER_HOME"):
        fill_cache(tmp_path / "cache", quiet, environ)


def test_versions_are_read_from_the_jar(tmp_path: Path):
    jar(tmp_path / "a.jar", "3.9.4")
    jar(tmp_path / "b.jar", "3.9.4", server=False)
    (tmp_path / "c.jar").write_text("no zip")
    assert [jar_version(tmp_path / name) for name in ("a.jar", "b.jar", "c.jar", "d.jar")] == [
        "3.9.4",
        None,
        None,
        None,
    ]


def test_the_project_names_a_server_and_what_it_needs():
    text = pom()
    for name in ("zookeeper", "snappy-java", "metrics-core", "jetty-server", "jetty-servlet", "commons-cli"):
        assert f"<artifactId>{name}</artifactId>" in text
    assert f"<version>{VERSION}</version>" in text
