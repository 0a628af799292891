from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import DENIED, LOGBACK, PS, check_of, healthy, ran, results, with_command
from tests.unit.core.facts import report
from zktui.checks.inventory import Inventory
from zktui.checks.logging import Setup, log4j, logback, logging
from zktui.checks.model import Check, Result
from zktui.core.zookeeper import Mode

RELEASE_39 = """<configuration>
  <!-- Uncomment this if you would like to expose Logback JMX beans -->
  <!--jmxConfigurator /-->
  <property name="zookeeper.console.threshold" value="INFO" />
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
    <filter class="ch.qos.logback.classic.filter.ThresholdFilter"><level>${zookeeper.console.threshold}</level></filter>
  </appender>
  <!--
  <root level="DEBUG"><appender-ref ref="ROLLINGFILE" /></root>
  -->
  <logger name="org.apache.zookeeper.audit" additivity="false" level="INFO"/>
  <root level="${zookeeper.level:-INFO}">
    <appender-ref ref="CONSOLE" />
  </root>
</configuration>
"""
TUTORIAL = """zookeeper.root.logger=CONSOLE
zookeeper.console.threshold=INFO
log4j.rootLogger=${zookeeper.root.logger}
log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
log4j.appender.CONSOLE.Threshold=${zookeeper.console.threshold}
log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout
"""
RELEASE_34 = TUTORIAL.replace("zookeeper.root.logger=CONSOLE", "zookeeper.root.logger=INFO, CONSOLE")
ONE_WARNS = {"zk-0": Result.PASS, "zk-1": Result.WARN, "zk-2": Result.PASS}


def of(inventory: Inventory, name: str) -> Check:
    return check_of(logging, inventory, f"logging.{name}")


def spoiled(text: str) -> Inventory:
    return with_command(healthy(), "logback.xml", ran(text), ("zk-1",))


def with_version(inventory: Inventory, version: str) -> Inventory:
    told = {p.uid: replace(report(p.key, Mode.FOLLOWER), version=version) for p in inventory.pods}
    return replace(inventory, reports=told)


def test_a_healthy_ensemble_passes() -> None:
    checks = list(logging(healthy()))
    assert [c.code for c in checks] == ["logging.level", "logging.destination"]
    assert {c.result for c in checks} == {Result.PASS}
    assert checks[0].evidence[0].text == "logback: root INFO"


def test_nothing_was_asked() -> None:
    assert {c.result for c in logging(replace(healthy(), inside={}))} == {Result.UNKNOWN}


def test_a_releases_own_logback() -> None:
    found = logback(RELEASE_39, {})
    assert found == Setup(
        "logback", "INFO", ("ConsoleAppender",), {"org.apache.zookeeper.audit": "INFO"}, ("",), ("INFO",)
    )
    assert logback(RELEASE_39, {"zookeeper.level": "debug"}).level == "DEBUG"


def test_a_releases_own_log4j() -> None:
    assert log4j(RELEASE_34, {}) == Setup("log4j", "INFO", ("ConsoleAppender",), {}, ("",), ("INFO",))
    more = f"{RELEASE_34}log4j.logger.org.apache.zookeeper.server=TRACE, CONSOLE\n"
    assert log4j(more, {}).loggers == {"org.apache.zookeeper.server": "TRACE"}


def test_the_process_overrides_its_file() -> None:
    process = PS.replace("java -Xmx512m", "java -Dzookeeper.root.logger=DEBUG,CONSOLE -Xmx512m")
    inventory = with_command(healthy(), "processes", ran(process), ("zk-1",))
    inventory = with_version(with_command(inventory, "log4j.properties", ran(RELEASE_34)), "3.4.14-4c25d48")
    assert results(of(inventory, "level")) == ONE_WARNS
    assert of(inventory, "level").evidence[1].text == "log4j 1: root DEBUG, ConsoleAppender from INFO on"


@pytest.mark.parametrize(
    ("jar", "version", "named"),
    [
        ("log4j-1.2.17.jar", "3.7.1", "log4j 1"),
        ("reload4j-1.2.25.jar", "3.7.0", "reload4j"),
        ("*", "3.4.14-4c25d48", "log4j 1"),
        ("*", "3.6.3", "log4j 1"),
        ("*", "3.6.4", "reload4j"),
        ("*", "3.7.2", "reload4j"),
        ("*", "", "log4j"),
    ],
)
def test_which_of_the_two_reads_log4j_properties(jar: str, version: str, named: str) -> None:
    process = PS.replace("java -Xmx512m", f"java -cp /zookeeper/lib/{jar}:/conf -Xmx512m")
    inventory = with_command(with_version(healthy(), version), "processes", ran(process))
    if not version:
        inventory = with_command(inventory, "logback.xml", ran(code=1, err="cat: No such file or directory\n"))
    found = of(with_command(inventory, "log4j.properties", ran(RELEASE_34)), "level")
    assert {e.text for e in found.evidence} == {f"{named}: root INFO"}


def test_every_logger_is_told_level_by_level() -> None:
    (text, *_) = (e.text for e in of(with_command(healthy(), "logback.xml", ran(RELEASE_39)), "level").evidence)
    assert text == "logback: root INFO, org.apache.zookeeper.audit INFO"


CUT = """<filter class="ch.qos.logback.classic.filter.ThresholdFilter"><level>${least}</level></filter>"""
ASYNC = """<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender"/>
  <appender name="LATER" class="ch.qos.logback.classic.AsyncAppender"><appender-ref ref="CONSOLE"/></appender>
  <root level="INFO"><appender-ref ref="LATER"/></root>
</configuration>
"""


@pytest.mark.parametrize(("least", "result"), [("ERROR", Result.WARN), ("WARN", Result.PASS), ("DEBUG", Result.PASS)])
def test_what_an_appender_drops_is_not_logged(least: str, result: Result) -> None:
    """An election leaves no trace where the root logger lets INFO through and its appender does not."""
    open_, shut = 'ConsoleAppender"/>', f'ConsoleAppender">{CUT}</appender>'
    text = f'<property name="least" value="{least}"/>{LOGBACK.replace(open_, shut)}'
    found = of(spoiled(text), "level")
    assert found.evidence[1].result is result
    said = "" if least == "DEBUG" else f", ConsoleAppender from {least} on"
    assert found.evidence[1].text == f"logback: root INFO{said}"


@pytest.mark.parametrize("line", ["log4j.appender.CONSOLE.Threshold=ERROR", "log4j.threshold=ERROR"])
def test_what_log4j_drops_is_not_logged(line: str) -> None:
    found = log4j(
        f"log4j.rootLogger=INFO, CONSOLE\nlog4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n{line}\n", {}
    )
    assert (found.level, found.printed) == ("INFO", "ERROR")


def test_an_appender_that_only_hands_on() -> None:
    assert logback(ASYNC, {}).appenders == ("ConsoleAppender",)
    assert of(spoiled(ASYNC), "destination").result is Result.PASS


def test_the_line_by_hand_names_the_file_that_is_read() -> None:
    assert of(healthy(), "level").by_hand == "kubectl exec zk-0 -- cat /opt/zookeeper/conf/logback.xml"
    old = with_version(with_command(healthy(), "log4j.properties", ran(RELEASE_34)), "3.4.14")
    assert of(old, "level").by_hand == "kubectl exec zk-0 -- cat /usr/etc/zookeeper/log4j.properties"


ROLLING = """<configuration><property name="dir" value="/logs"/>
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>${dir}/zookeeper.log</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy"><maxIndex>10</maxIndex></rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy">
      <maxFileSize>256MB</maxFileSize>
    </triggeringPolicy>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root></configuration>
"""
ROLLING_34 = """log4j.rootLogger=INFO, CONSOLE, ROLLINGFILE
log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
log4j.appender.ROLLINGFILE=org.apache.log4j.RollingFileAppender
log4j.appender.ROLLINGFILE.File=${zookeeper.log.dir}/zookeeper.log
log4j.appender.ROLLINGFILE.MaxFileSize=10MB
log4j.appender.ROLLINGFILE.MaxBackupIndex=5
"""


def test_what_a_file_is_bounded_by() -> None:
    assert logback(ROLLING, {}).kept == ("/logs/zookeeper.log, maxFileSize 256MB, maxIndex 10",)
    found = of(spoiled(ROLLING), "destination")
    assert found.evidence[1].text.startswith(
        "RollingFileAppender (/logs/zookeeper.log, maxFileSize 256MB, maxIndex 10)"
    )
    assert log4j(ROLLING_34, {"zookeeper.log.dir": "/var/log"}).kept == (
        "",
        "/var/log/zookeeper.log, MaxFileSize 10MB, MaxBackupIndex 5",
    )


def test_a_variable_that_names_itself_ends() -> None:
    assert log4j("a=${a}\nlog4j.rootLogger=${a}\n", {}).level == "${A}"


@pytest.mark.parametrize("version", ["3.8.0", "3.9.4-7246445ec", "3.10.1"])
def test_newer_servers_read_logback(version: str) -> None:
    inventory = with_command(healthy(), "log4j.properties", ran(RELEASE_34.replace("INFO", "DEBUG")))
    assert of(with_version(inventory, version), "level").result is Result.PASS


@pytest.mark.parametrize("version", ["3.4.14", "3.7.2"])
def test_older_servers_read_log4j(version: str) -> None:
    inventory = with_command(healthy(), "log4j.properties", ran(RELEASE_34.replace("INFO", "DEBUG")))
    assert of(with_version(inventory, version), "level").result is Result.WARN


def test_the_wrong_file_is_no_evidence() -> None:
    inventory = with_command(with_version(healthy(), "3.9.4"), "logback.xml", DENIED, ("zk-1",))
    inventory = with_command(inventory, "log4j.properties", ran(RELEASE_34))
    assert results(of(inventory, "level")) == {**ONE_WARNS, "zk-1": Result.UNKNOWN}


@pytest.mark.parametrize(
    "text",
    [
        LOGBACK.replace('level="INFO"', 'level="DEBUG"'),
        LOGBACK.replace('level="INFO"', 'level="error"'),
        LOGBACK.replace(' level="INFO"', ""),
        LOGBACK.replace("<root", '<logger name="org.apache" level="TRACE"/>\n<root'),
        "",
    ],
)
def test_levels_that_hurt(text: str) -> None:
    assert results(of(spoiled(text), "level")) == ONE_WARNS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOGBACK.replace("ConsoleAppender", "FileAppender"), "a file that nothing turns"),
        (LOGBACK.replace("core.ConsoleAppender", "core.rolling.RollingFileAppender"), "shows nothing of it"),
        (LOGBACK.replace('<appender-ref ref="CONSOLE"/>', ""), "nowhere: kubectl logs shows nothing"),
        (LOGBACK.replace('ref="CONSOLE"', 'ref="OTHER"'), "an appender of no known class"),
    ],
)
def test_where_logs_go(text: str, words: str) -> None:
    found = of(spoiled(text), "destination")
    assert results(found) == ONE_WARNS
    assert words in found.evidence[1].text


def test_the_tutorials_logger() -> None:
    """Its image sets the variable to a level and an appender by the script's flag; without it there is no level."""
    assert log4j(TUTORIAL, {"zookeeper.root.logger": "INFO, CONSOLE"}).level == "INFO"
