"""The manifests as they are applied: every word of what they promise, and the options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from zktui.core.documents import Document, objects, text
from zktui.workload.deploying import title
from zktui.workload.manifest import MODERN, TUTORIAL, Wanted, as_yaml, manifest, objection_to, source

PLAIN = Wanted("default")
BOTH = pytest.mark.parametrize("wanted", [PLAIN, Wanted("default", tutorial=True)], ids=["modern", "tutorial"])


def of_kind(documents: tuple[Document, ...], kind: str) -> Any:
    return next(d for d in documents if d["kind"] == kind)


def pod_spec(wanted: Wanted) -> Any:
    return of_kind(manifest(wanted), "StatefulSet")["spec"]["template"]["spec"]


def test_the_objects_in_the_order_in_which_they_are_applied() -> None:
    assert [title(d) for d in manifest(PLAIN)] == [
        "service/zk-hs",
        "service/zk-cs",
        "poddisruptionbudget.policy/zk-pdb",
        "configmap/zk-scripts",
        "statefulset.apps/zk",
    ]
    assert [title(d) for d in manifest(Wanted("default", tutorial=True))] == [
        "service/zk-hs",
        "service/zk-cs",
        "poddisruptionbudget.policy/zk-pdb",
        "statefulset.apps/zk",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "Zoo"}, "'Zoo' is no name"),
        ({"name": "../zk"}, "is no name"),
        ({"name": "z" * 53}, "longer than 52 letters"),
        ({"image": "zookeeper:3.9 --privileged"}, "is no image"),
        ({"storage_class": "Fast Disk"}, "no name of a storage class"),
        ({"size": "10"}, "'10' is too small for a volume"),
        ({"heap": "2G"}, "the heap of 2048 MiB does not fit the 1Gi of memory"),
        ({"memory": "640"}, "the heap of 512 MiB does not fit the 640 of memory"),
        ({"memory": "512Mi", "tutorial": True}, "the heap of 512 MiB does not fit the 512Mi of memory"),
    ],
)
def test_what_can_not_be_is_refused_in_words(fields: dict[str, Any], words: str) -> None:
    assert words in objection_to(replace(PLAIN, **fields))


def test_what_can_be_is_not_refused() -> None:
    most = Wanted(
        "default", "z" * 52, 5, "gp3-fast.io", "20Gi", "registry:5000/zookeeper:3.9.4@sha256:1f", "1", "4Gi", "2G"
    )
    assert objection_to(most) == objection_to(PLAIN) == objection_to(Wanted("default", memory="640Mi")) == ""


@BOTH
def test_a_budget_of_today_and_an_anti_affinity_that_matches_its_own_pods(wanted: Wanted) -> None:
    documents = manifest(wanted)
    budget, statefulset = of_kind(documents, "PodDisruptionBudget"), of_kind(documents, "StatefulSet")
    assert (budget["apiVersion"], budget["spec"]["maxUnavailable"]) == ("policy/v1", 1)
    labels = statefulset["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (term,) = pod_spec(wanted)["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    selector = term["labelSelector"]
    by_label = selector.get("matchLabels", {}).items() <= labels.items()
    assert by_label and all(labels[e["key"]] in e["values"] for e in selector.get("matchExpressions", ()))
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert pod_spec(wanted)["securityContext"]["runAsUser"] == 1000
    assert pod_spec(wanted)["securityContext"]["fsGroup"] == 1000


def test_what_brings_a_member_back_in_seconds() -> None:
    documents = manifest(PLAIN)
    headless = of_kind(documents, "Service")
    assert (headless["spec"]["clusterIP"], headless["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert of_kind(documents, "StatefulSet")["spec"]["podManagementPolicy"] == "Parallel"
    spec = pod_spec(PLAIN)
    assert spec["securityContext"]["runAsNonRoot"] is True
    (container,) = spec["containers"]
    assert container["image"] == "zookeeper:3.9"
    assert container["readinessProbe"]["exec"]["command"][-1] == "serving"
    assert "serving" not in container["livenessProbe"]["exec"]["command"]
    assert "serving" not in container["startupProbe"]["exec"]["command"]
    flags = container["env"][0]["value"]
    assert "-Dsun.net.inetaddr.ttl=1" in flags
    scripts = of_kind(documents, "ConfigMap")["data"]
    assert "-Djava.security.properties=/opt/scripts/dns.security" in flags
    assert "networkaddress.cache.negative.ttl=0" in scripts["dns.security"]
    assert {"start-zookeeper", "zookeeper-ready"} <= scripts.keys()
    mounted = {volume["name"]: volume["configMap"]["name"] for volume in spec["volumes"]}
    assert mounted == {"scripts": text(of_kind(documents, "ConfigMap"), "metadata", "name")}


def test_the_tutorial_s_own_fields() -> None:
    (container,) = pod_spec(Wanted("default", tutorial=True))["containers"]
    assert container["image"].endswith("kubernetes-zookeeper:1.0-3.4.10")
    flags = container["command"][2].split()
    assert flags[0] == "start-zookeeper"
    assert set(flags[1:]) == {
        *("--servers=3", "--data_dir=/var/lib/zookeeper/data", "--data_log_dir=/var/lib/zookeeper/data/log"),
        *("--conf_dir=/opt/zookeeper/conf", "--client_port=2181", "--election_port=3888", "--server_port=2888"),
        *("--tick_time=2000", "--init_limit=10", "--sync_limit=5", "--heap=512M", "--max_client_cnxns=60"),
        *("--snap_retain_count=3", "--purge_interval=12", "--max_session_timeout=40000"),
        *("--min_session_timeout=4000", "--log_level=INFO"),
    }
    assert container["readinessProbe"]["exec"]["command"] == ["sh", "-c", "zookeeper-ready 2181"]


def test_options() -> None:
    wanted = Wanted("prod", "zoo", 5, "fast", "2048Mi", "registry.example/zk:3.9", "0.25", "2Gi", "1G")
    documents = manifest(wanted)
    assert {text(d, "metadata", "namespace") for d in documents} == {"prod"}
    assert {text(d, "metadata", "name") for d in documents} == {"zoo-hs", "zoo-cs", "zoo-pdb", "zoo-scripts", "zoo"}
    spec = of_kind(documents, "StatefulSet")["spec"]
    assert (spec["replicas"], spec["serviceName"]) == (5, "zoo-hs")
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/zk:3.9"
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "2Gi"}
    command = container["command"][2].split()
    assert {"--servers=5", "--heap=1G"} <= set(command)
    assert spec["template"]["spec"]["volumes"][0]["configMap"]["name"] == "zoo-scripts"
    for service in (d for d in documents if d["kind"] == "Service"):
        assert service["spec"] and text(service, "spec", "selector", "app") == "zoo"
    assert "zk-" not in yaml.safe_dump([d for d in documents if d["kind"] != "ConfigMap"])


def test_no_option_leaves_everything_but_the_spelling() -> None:
    written = {entry["metadata"]["name"]: entry for entry in yaml.safe_load_all(source(MODERN))}
    for document in manifest(PLAIN):
        entry = written[text(document, "metadata", "name")]
        if entry["kind"] == "StatefulSet":
            (container,) = entry["spec"]["template"]["spec"]["containers"]
            container["resources"]["requests"]["cpu"] = "500m"
        entry["metadata"]["namespace"] = "default"
        assert document == entry


@pytest.mark.parametrize("file", [MODERN, TUTORIAL])
def test_no_name_is_missed(file: str) -> None:
    """A name that a later hand adds begins with zk as well, or renaming would miss it."""
    names = [entry["metadata"]["name"] for entry in yaml.safe_load_all(source(file))]
    assert all(name == "zk" or name.startswith("zk-") for name in names)


def test_yaml_for_people() -> None:
    document: Document = {
        "metadata": {"name": "a", "uid": "x", "managedFields": []},
        "data": {"s": "a\nb\n"},
        "status": {},
    }
    assert as_yaml(document) == "metadata:\n  name: a\ndata:\n  s: |\n    a\n    b\n"
    (container,) = objects(manifest(PLAIN)[-1], "spec", "template", "spec", "containers")
    assert yaml.safe_load(as_yaml(container)) == container
