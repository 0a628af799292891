from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import (
    DENIED,
    DOMAIN,
    PS,
    SERVERS,
    ZOO_CFG,
    check_of,
    ensemble,
    healthy,
    ran,
    results,
    service,
    slices,
    with_command,
)
from zktui.checks.discovery import discovery, servers_in
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Result

UNREAD = Known[Any](None, "not permitted: services is forbidden")


def test_a_healthy_ensemble_passes() -> None:
    checks = list(discovery(healthy()))
    assert [c.code for c in checks] == [
        "discovery.server-lines",
        "discovery.endpoints",
        "discovery.resolves",
        "discovery.publish-not-ready",
        "discovery.dns-cache",
    ]
    assert {c.result for c in checks} == {Result.PASS}


def test_nothing_was_asked() -> None:
    blind = replace(healthy(), inside={}, services=UNREAD, slices=UNREAD)
    assert {c.result for c in discovery(blind)} == {Result.UNKNOWN}


def test_server_lines_in_all_their_spellings() -> None:
    said = (
        "server.1 = zk-0.hs:2888:3888\nserver.2=[fd00::2]:2888:3888:observer;2181\n#server.3=zk-2:1:2\nserver.x=a:1\n"
    )
    assert servers_in(said) == {1: "zk-0.hs", 2: "fd00::2"}


@pytest.mark.parametrize(
    ("config", "dynamic", "result"),
    [
        (ZOO_CFG.replace("server.3", "#server.3"), "", Result.FAIL),
        (ZOO_CFG.replace(SERVERS, ""), "", Result.FAIL),
        (ZOO_CFG.replace(SERVERS, "dynamicConfigFile=/conf/zoo.cfg.dynamic\n"), SERVERS, Result.PASS),
        # The bind address of its own line, and names without the domain, are as good.
        (ZOO_CFG.replace(f"zk-1.{DOMAIN}", "0.0.0.0"), "", Result.PASS),
        (ZOO_CFG.replace(DOMAIN, "zk-hs"), "", Result.PASS),
        # Another member's name is a beginning of this one's, or another service's.
        (ZOO_CFG.replace(f"zk-2.{DOMAIN}", f"zk-20.{DOMAIN}"), "", Result.FAIL),
        (ZOO_CFG.replace(f"zk-2.{DOMAIN}", "zk-2.zk-hs-old.default.svc"), "", Result.FAIL),
        # A member that was scaled away, a server elsewhere, and one that is named twice.
        (f"{ZOO_CFG}server.4=zk-3.{DOMAIN}:2888:3888\n", "", Result.FAIL),
        (f"{ZOO_CFG}server.4=zk.elsewhere:2888:3888\n", "", Result.PASS),
        (f"{ZOO_CFG}server.4=zk-2.{DOMAIN}:2888:3888\n", "", Result.FAIL),
    ],
)
def test_lines_for_every_member(config: str, dynamic: str, result: Result) -> None:
    inventory = with_command(healthy(), "config", ran(config), ("zk-1",))
    if dynamic:
        inventory = with_command(inventory, "dynamic", ran(dynamic), ("zk-1",))
    found = check_of(discovery, inventory, "discovery.server-lines")
    assert results(found) == {"zk-0": Result.PASS, "zk-1": result, "zk-2": Result.PASS}


def test_what_is_wrong_with_the_lines_is_named() -> None:
    more = f"server.4=zk-3.{DOMAIN}:2888:3888\nserver.5=zk-2.{DOMAIN}:2888:3888\n"
    found = check_of(discovery, with_command(healthy(), "config", ran(ZOO_CFG + more)), "discovery.server-lines")
    assert found.evidence[0].text == "5 server lines, one for zk-3, which is not there; zk-2 is named 2 times"


def test_a_single_member_needs_no_lines() -> None:
    alone = with_command(healthy(), "config", ran(ZOO_CFG.replace(SERVERS, "")))
    one = replace(alone, pods=alone.pods[:1], ensemble=ensemble(replicas=1))
    assert check_of(discovery, one, "discovery.server-lines").result is Result.PASS


def with_slices(*changed: Any) -> Inventory:
    return replace(healthy(), slices=Known(changed, ""))


def test_an_address_is_missing_doubled_or_of_nobody() -> None:
    zero, one, two = healthy().pods
    missing = check_of(discovery, with_slices(*slices(zero, one)), "discovery.endpoints")
    assert results(missing) == {"zk-0": Result.PASS, "zk-1": Result.PASS, "zk-2": Result.FAIL}
    doubled = check_of(discovery, with_slices(*slices(zero, one, two), *slices(one)), "discovery.endpoints")
    assert results(doubled) == {"zk-0": Result.PASS, "zk-1": Result.FAIL, "zk-2": Result.PASS}
    # The pod that had this name before: its UID is another's, whatever its address.
    before = replace(one, uid="uid-before", ip="10.0.0.9")
    stale = check_of(discovery, with_slices(*slices(zero, one, two, before)), "discovery.endpoints")
    assert [e.text for e in stale.evidence if not e.member] == ["of no pod that there is: 10.0.0.9"]
    assert stale.result is Result.FAIL


def test_an_address_that_dns_leaves_out() -> None:
    """Not ready, where the service does not publish that: listed, and of no use to anybody."""
    (listed,) = slices(*healthy().pods)
    ends = [{**end, "conditions": {"ready": end["targetRef"]["name"] != "zk-2"}} for end in listed["endpoints"]]
    found = check_of(discovery, with_slices({**listed, "endpoints": ends}), "discovery.endpoints")
    assert results(found) == {"zk-0": Result.PASS, "zk-1": Result.PASS, "zk-2": Result.FAIL}
    assert found.evidence[2].text == "10.0.0.3 is listed as not ready: its name leads nowhere"


def test_addresses_of_both_families() -> None:
    one = healthy().pods[1]
    both = {"status": {"podIPs": [{"ip": one.ip}, {"ip": "fd00::2"}]}}
    more = with_slices(*slices(*healthy().pods), *slices(replace(one, ip="fd00::2")))
    found = check_of(discovery, replace(more, pod_documents={"zk-1": both}), "discovery.endpoints")
    assert found.result is Result.PASS


def test_other_services_slices_are_not_looked_at() -> None:
    (other,) = slices()
    other = {**other, "metadata": {"labels": {"kubernetes.io/service-name": "web"}}}
    found = check_of(discovery, with_slices(*slices(*healthy().pods), other), "discovery.endpoints")
    assert found.result is Result.PASS


def test_a_pod_without_an_address_yet() -> None:
    zero, one, two = healthy().pods
    pods = (zero, replace(one, ip=""), two)
    found = check_of(
        discovery, replace(healthy(), pods=pods, slices=Known(slices(zero, two), "")), "discovery.endpoints"
    )
    assert results(found) == {"zk-0": Result.PASS, "zk-1": Result.UNKNOWN, "zk-2": Result.PASS}


@pytest.mark.parametrize(
    ("outcome", "result", "words"),
    [
        (ran(f"10.0.0.9      zk-2.{DOMAIN}\n"), Result.FAIL, "is 10.0.0.9, and the pod 10.0.0.3"),
        (ran(code=2), Result.FAIL, "has no address"),
        (DENIED, Result.UNKNOWN, "pods/exec is forbidden"),
        (ran(code=127, err="sh: getent: not found\n"), Result.UNKNOWN, "getent: not found"),
    ],
)
def test_a_name_resolves_to_another_or_to_nothing(outcome: Any, result: Result, words: str) -> None:
    inventory = with_command(healthy(), f"resolve zk-2.{DOMAIN}", outcome, ("zk-0",))
    found = check_of(discovery, inventory, "discovery.resolves")
    assert results(found) == {"zk-0": result, "zk-1": Result.PASS, "zk-2": Result.PASS}
    assert words in found.evidence[0].text


@pytest.mark.parametrize(
    ("services", "result"),
    [
        ((service(publishNotReadyAddresses=False),), Result.WARN),
        ((service(clusterIP="10.96.0.7"),), Result.FAIL),
        ((), Result.FAIL),
    ],
)
def test_members_are_found_before_they_are_ready(services: Any, result: Result) -> None:
    inventory = replace(healthy(), services=Known(services, ""))
    found = check_of(discovery, inventory, "discovery.publish-not-ready")
    assert found.result is result
    wanted = """kubectl -n default patch service zk-hs -p '{"spec":{"publishNotReadyAddresses":true}}'"""
    assert found.patch == ((wanted,) if result is Result.WARN else ())


def test_no_service_is_named() -> None:
    inventory = replace(healthy(), ensemble=ensemble(service=""))
    assert check_of(discovery, inventory, "discovery.publish-not-ready").result is Result.FAIL
    assert check_of(discovery, inventory, "discovery.endpoints").result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("processes", "security", "result"),
    [
        (PS, "", Result.WARN),
        (PS, "networkaddress.cache.negative.ttl=10\n", Result.WARN),
        (PS, "#networkaddress.cache.negative.ttl=0\n", Result.WARN),
        (PS.replace("inetaddr.ttl=1", "inetaddr.ttl=60"), "networkaddress.cache.negative.ttl=0\n", Result.WARN),
        (PS.replace("inetaddr.ttl=1", "inetaddr.ttl=-1"), "networkaddress.cache.negative.ttl=0\n", Result.WARN),
        # java.security wins over the system property.
        (PS, "networkaddress.cache.ttl=300\nnetworkaddress.cache.negative.ttl=0\n", Result.WARN),
        (
            PS.replace("-Dsun.net.inetaddr.ttl=1 ", ""),
            "networkaddress.cache.ttl=2\nnetworkaddress.cache.negative.ttl=1\n",
            Result.PASS,
        ),
        ("UID PID\nroot 1 sleep\n", "", Result.UNKNOWN),
    ],
)
def test_what_the_jvm_believes_and_for_how_long(processes: str, security: str, result: Result) -> None:
    inventory = with_command(healthy(), "processes", ran(processes), ("zk-2",))
    inventory = with_command(inventory, "security", ran(security), ("zk-2",))
    found = check_of(discovery, inventory, "discovery.dns-cache")
    assert results(found) == {"zk-0": Result.PASS, "zk-1": Result.PASS, "zk-2": result}


def test_the_lines_that_shorten_both_caches() -> None:
    """They keep what else the server is started with, and after them the check would pass."""
    inventory = with_command(healthy(), "processes", ran(PS.replace("-Dsun.net.inetaddr.ttl=1 ", "")), ("zk-2",))
    found = inventory.ensemble
    flags = (("SERVER_JVMFLAGS", "-Xlog:gc -Djava.security.properties=/old"), ("ZOO_HEAP", "1"))
    template = found.statefulset.template
    container = replace(template.containers[0], env=flags)
    statefulset = replace(found.statefulset, template=replace(template, containers=(container,)))
    inventory = replace(inventory, ensemble=replace(found, statefulset=statefulset))
    made, patched = check_of(discovery, inventory, "discovery.dns-cache").patch
    assert shlex.split(made) == [
        *("kubectl", "-n", "default", "create", "configmap", "zk-dns"),
        "--from-literal=dns.security=networkaddress.cache.negative.ttl=0",
    ]
    words = shlex.split(patched)
    assert words[:-1] == ["kubectl", "-n", "default", "patch", "statefulset", "zk", "-p"]
    spec = json.loads(words[-1])["spec"]["template"]["spec"]
    (changed,) = spec["containers"]
    assert changed["name"] == found.container
    (variable,) = changed["env"]
    assert variable["value"].split()[0] == "-Xlog:gc"
    (mount,) = changed["volumeMounts"]
    (volume,) = spec["volumes"]
    assert (volume["name"], volume["configMap"]["name"]) == (mount["name"], "zk-dns")
    processes = PS.replace("-Dsun.net.inetaddr.ttl=1 ", f"{variable['value']} ")
    assert f"-Djava.security.properties={mount['mountPath']}/dns.security" in processes
    mended = with_command(healthy(), "processes", ran(processes))
    mended = with_command(mended, "security", ran("networkaddress.cache.negative.ttl=0\n"))
    assert check_of(discovery, mended, "discovery.dns-cache").result is Result.PASS
    assert check_of(discovery, healthy(), "discovery.dns-cache").patch == ()
