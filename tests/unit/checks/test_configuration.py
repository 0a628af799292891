from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import (
    DENIED,
    NAMES,
    SERVERS,
    ZOO_CFG,
    check_of,
    conf,
    ensemble,
    healthy,
    ran,
    results,
    with_command,
)
from zktui.checks.configuration import configuration, drift, settings_in
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result

ONE_FAILS = {"zk-0": Result.PASS, "zk-1": Result.FAIL, "zk-2": Result.PASS}
ONE_UNKNOWN = {**ONE_FAILS, "zk-1": Result.UNKNOWN}


def of(inventory: Inventory, name: str) -> Check:
    return check_of(configuration, inventory, f"configuration.{name}")


def with_conf(text: str | None, member: str = "zk-1") -> Inventory:
    told = Known(text, "") if text is not None else Known[str](None, "not permitted: conf is not in the whitelist")
    inventory = healthy()
    return replace(inventory, words={**inventory.words, (member, "conf"): told})


def with_spec(inventory: Inventory, **container: object) -> Inventory:
    """zk-1's container with these fields changed."""
    pods = [
        replace(
            p,
            spec=replace(
                p.spec,
                containers=tuple(replace(c, **container) for c in p.spec.containers),  # pyright: ignore[reportArgumentType]  # fields by name
            ),
        )
        if p.name == "zk-1"
        else p
        for p in inventory.pods
    ]
    return replace(inventory, pods=tuple(pods))


def test_a_healthy_ensemble_passes() -> None:
    checks = list(configuration(healthy()))
    assert [c.code.partition(".")[2] for c in checks] == [
        "command",
        "zoo-cfg",
        "dynamic",
        "flags",
        "running",
        "in-effect",
    ]
    assert {c.result for c in checks} == {Result.PASS}


def test_nothing_was_asked() -> None:
    blind = replace(healthy(), inside={}, words={})
    assert {c.code: c.result for c in configuration(blind)} == {
        "configuration.command": Result.PASS,  # the pods' own specifications were read
        "configuration.zoo-cfg": Result.UNKNOWN,
        "configuration.dynamic": Result.UNKNOWN,
        "configuration.flags": Result.UNKNOWN,
        "configuration.running": Result.UNKNOWN,
        "configuration.in-effect": Result.UNKNOWN,
    }
    assert {c.result for c in configuration(replace(blind, pods=()))} == {Result.UNKNOWN}


def test_settings_in_all_their_spellings() -> None:
    said = (
        "# tickTime=1\n tickTime = 2000 \nmembership: \nserver.1=a:2888:3888:participant;0.0.0.0:2181\n"
        "server.2=b:2888:3888:observer;2181\nversion=100000000"
    )
    assert settings_in(said) == {
        "tickTime": "2000",
        "server.1": "a:2888:3888",
        "server.2": "b:2888:3888:observer",
        "version": "100000000",
    }


def test_drift_names_who_differs_from_most() -> None:
    found = drift({"a": {"x": "1", "y": "1"}, "b": {"x": "2", "y": "1"}, "c": {"x": "1", "y": "1", "z": "3"}})
    assert found == {"a": {}, "b": {"x": "x is 2, the others have 1"}, "c": {"z": "z is 3, the others have none"}}


def test_drift_without_a_majority_names_all() -> None:
    found = drift({"a": {"x": "1"}, "b": {"x": "2"}})
    assert {member: list(keys) for member, keys in found.items()} == {"a": ["x"], "b": ["x"]}


def test_what_is_each_members_own_is_no_drift() -> None:
    line = "server.1=zk-0:2888:3888"
    own = "server.1=0.0.0.0:2888:3888\nserverId=1\ndataLogSize=5\ndynamicConfigFile=/c.100\n"
    texts = {"a": own, "b": f"{line}\nserverId=2\ndataLogSize=6\ndynamicConfigFile=/c.200\n", "c": line}
    assert drift({member: settings_in(text) for member, text in texts.items()}) == {"a": {}, "b": {}, "c": {}}


def test_what_passwords_and_variables_hold_is_not_shown() -> None:
    found = drift({"a": {"$TOKEN": "x1", "ssl.keyStore.password": "y1"}, "b": {}, "c": {}})
    assert "x1" not in str(found)
    assert "y1" not in str(found)
    assert list(found["a"]) == ["$TOKEN", "ssl.keyStore.password"]


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"command": ("start-zookeeper", "--tick_time=3000")}, "tick_time is 3000, the others have 2000"),
        ({"image": "zookeeper:3.8"}, "image is zookeeper:3.8, the others have zookeeper:3.9"),
        ({"env": (("JVMFLAGS", "-Dx=y"),)}, "$JVMFLAGS is not as the others have it"),
    ],
)
def test_a_member_that_is_started_otherwise(container: dict[str, object], words: str) -> None:
    found = of(with_spec(healthy(), **container), "command")
    assert results(found) == ONE_FAILS
    assert words in found.evidence[1].text


def test_a_rolling_update_makes_them_differ_for_a_while() -> None:
    inventory = with_spec(healthy(), image="zookeeper:3.8")
    updating = ensemble(generation=2, observed_generation=1)
    assert of(replace(inventory, ensemble=updating), "command").result is Result.WARN


@pytest.mark.parametrize(
    "spoiled",
    [
        ZOO_CFG.replace("tickTime=2000", "tickTime=3000"),
        ZOO_CFG.replace("syncLimit=5\n", ""),
        ZOO_CFG.replace("zk-2.zk-hs", "zk-2.other"),
        ZOO_CFG + "snapCount=10\n",
    ],
)
def test_a_file_that_drifts(spoiled: str) -> None:
    found = of(with_command(healthy(), "config", ran(spoiled), ("zk-1",)), "zoo-cfg")
    assert results(found) == ONE_FAILS


def test_a_file_that_cannot_be_read() -> None:
    found = of(with_command(healthy(), "config", DENIED, ("zk-1",)), "zoo-cfg")
    assert results(found) == ONE_UNKNOWN
    assert "could be read" in found.evidence[0].text


def test_dynamic_files() -> None:
    inventory = with_command(healthy(), "dynamic", ran(SERVERS))
    assert of(inventory, "dynamic").result is Result.PASS
    spoiled = with_command(inventory, "dynamic", ran(SERVERS.replace("server.3", "#")), ("zk-1",))
    assert results(of(spoiled, "dynamic")) == ONE_FAILS
    missing = ran(code=1, err="cat: x: No such file or directory\n")
    assert results(of(with_command(inventory, "dynamic", missing, ("zk-1",)), "dynamic")) == ONE_FAILS
    assert results(of(with_command(inventory, "dynamic", DENIED, ("zk-1",)), "dynamic")) == ONE_UNKNOWN
    # Two have none, and of the third it can't be told.
    assert of(with_command(healthy(), "dynamic", DENIED, ("zk-1",)), "dynamic").result is Result.UNKNOWN


def test_flags_that_did_not_reach_the_file() -> None:
    spoiled = ZOO_CFG.replace("initLimit=10", "initLimit=5").replace("tickTime=", "ticktime=")
    found = of(with_command(healthy(), "config", ran(spoiled), ("zk-1",)), "flags")
    assert results(found) == ONE_FAILS
    assert found.evidence[1].text == "--tick_time=2000, but tickTime=; --init_limit=10, but initLimit=5"


def test_a_command_without_flags() -> None:
    found = of(with_spec(healthy(), command=("zkServer.sh", "start-foreground")), "flags")
    assert found.result is Result.PASS
    assert "no flags" in found.evidence[1].text


def test_running_servers_that_differ() -> None:
    found = of(with_conf(conf(1).replace("syncLimit=5", "syncLimit=2")), "running")
    assert results(found) == ONE_FAILS
    assert found.evidence[1].text == "syncLimit is 2, the others have 5"
    other = of(with_conf(conf(1).replace("zk-2.zk-hs", "zk-9.zk-hs")), "running")
    assert results(other) == ONE_FAILS


def test_the_place_of_a_servers_files_is_no_drift() -> None:
    assert of(with_conf(conf(1).replace("/var/lib/zookeeper", "/data")), "running").result is Result.PASS


def test_a_server_that_keeps_conf_to_itself() -> None:
    found = of(with_conf(None), "running")
    assert results(found) == ONE_UNKNOWN
    assert "4lw.commands.whitelist" in found.advice
    # What it was started with is the next best, and is said to be that.
    found = of(with_conf(None), "in-effect")
    assert results(found) == {**ONE_UNKNOWN, "zk-1": Result.WARN}
    assert "by its zoo.cfg, which it read when it started" in found.evidence[1].text
    assert "4lw.commands.whitelist" in found.advice


def test_a_server_that_does_not_serve_says_so_to_conf_as_well() -> None:
    idle = "This ZooKeeper instance is not currently serving requests\n"
    for name in ("running", "in-effect"):
        found = of(with_conf(idle), name)
        assert results(found) == ONE_UNKNOWN
        assert found.evidence[1].text == f"its reply to conf has no settings: {idle.strip()}"
        assert "whitelist" not in found.advice, "it is open, and opening it would help nobody"


def test_files_without_settings_agree_in_nothing() -> None:
    other = with_command(healthy(), "config", ran("<configuration/>\n"))
    assert of(other, "zoo-cfg").result is Result.UNKNOWN
    assert of(other, "in-effect").result is Result.UNKNOWN


def all_closed(inventory: Inventory) -> Inventory:
    """As ZooKeeper 3.5 and later is, where nothing opens the word."""
    shut = Known[str](None, "not permitted: conf is not executed because it is not in the whitelist.")
    return replace(inventory, words={**inventory.words, **{(name, "conf"): shut for name in NAMES}})


def test_servers_that_all_keep_conf_to_themselves_are_judged_by_their_files() -> None:
    found = of(all_closed(healthy()), "running")
    assert set(results(found).values()) == {Result.WARN}
    assert "by its zoo.cfg" in found.evidence[0].text
    assert "4lw.commands.whitelist" in found.advice
    assert set(results(of(all_closed(healthy()), "in-effect")).values()) == {Result.WARN}
    # Files that differ are a failure all the same, and a file that can't be read is nothing to judge by.
    other = with_command(healthy(), "config", ran(ZOO_CFG.replace("tickTime=2000", "tickTime=3000")), ("zk-1",))
    assert results(of(all_closed(other), "running"))["zk-1"] is Result.FAIL
    blind = with_command(healthy(), "config", DENIED, ("zk-1",))
    assert results(of(all_closed(blind), "running"))["zk-1"] is Result.UNKNOWN
    assert results(of(all_closed(blind), "in-effect"))["zk-1"] is Result.UNKNOWN


def test_a_file_that_waits_for_a_restart() -> None:
    found = of(with_conf(conf(1).replace("tickTime=2000", "tickTime=3000")), "in-effect")
    assert results(found) == {**ONE_FAILS, "zk-1": Result.WARN}
    assert found.evidence[1].text == "tickTime=2000 in the file, 3000 in the server"
