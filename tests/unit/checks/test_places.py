from __future__ import annotations

import pytest

from tests.unit.checks.inventories import COMMAND, PS, ZOO_CFG, ensemble
from zktui.checks.places import Places, places
from zktui.core.kube import Container, PodSpec
from zktui.core.zookeeper import Ensemble

DATA = "/var/lib/zookeeper/data"
CFG = "/opt/zookeeper/conf/zoo.cfg"
DYNAMIC = f"{CFG}.dynamic"
OFFICIAL_CONF = "clientPort=2181\ndataDir=/data/version-2\ndataLogDir=/datalog/version-2\nserverId=1\n"


def plain(*env: tuple[str, str]) -> Ensemble:
    """The official image with no command of its own."""
    return ensemble(template=PodSpec(containers=(Container("zookeeper", "zookeeper:3.9", (), env=env),)))


def test_the_files_own_words_come_first() -> None:
    found = places(ensemble(), "dataDir=/elsewhere/version-2\n", PS, ZOO_CFG)
    assert found == Places(CFG, DATA, f"{DATA}/log", security="/opt/scripts/dns.security", dynamic=DYNAMIC)
    assert found.config_folder == "/opt/zookeeper/conf"


def test_then_the_commands_flags() -> None:
    assert COMMAND[0] == "sh"
    assert places(ensemble()) == Places(CFG, DATA, f"{DATA}/log", dynamic=DYNAMIC)


def test_then_what_the_server_says() -> None:
    assert places(plain(), OFFICIAL_CONF) == Places("", "/data", "/datalog")


@pytest.mark.parametrize("name", ["ZOOCFGDIR", "ZOO_CONF_DIR"])
def test_the_environment_names_the_folder(name: str) -> None:
    assert places(plain((name, "/conf"))).config_file == "/conf/zoo.cfg"


def test_the_process_names_its_file() -> None:
    process = (
        "java -Dlogback.configurationFile=/etc/zk/logback.xml -cp x "
        "org.apache.zookeeper.server.quorum.QuorumPeerMain /etc/zk/server.cfg"
    )
    found = places(plain(("ZOOCFGDIR", "/conf")), processes=f"zk 1 0 {process}\n")
    assert (found.config_file, found.logging) == ("/etc/zk/server.cfg", "/etc/zk/logback.xml")


def test_log4j_by_its_address() -> None:
    process = "java -Dlog4j.configuration=file:/conf/log4j.properties a.QuorumPeerMain /conf/zoo.cfg"
    assert places(plain(), processes=process).logging == "/conf/log4j.properties"


def test_another_process_file_is_not_the_servers() -> None:
    processes = "zk 1 0 sh -c start --file=/tmp/a.cfg\nzk 9 0 vi /conf/other.cfg\n"
    assert places(plain(), processes=processes) == Places()


def test_one_folder_for_both_where_none_is_named() -> None:
    found = places(plain(), config_file="dataDir=/data/\n")
    assert (found.data, found.log) == ("/data", "/data")


def test_the_dynamic_file_that_zoo_cfg_names() -> None:
    found = places(ensemble(), config_file="dataDir=/data\ndynamicConfigFile=/conf/zoo.cfg.dynamic.100000000\n")
    assert found.dynamic == "/conf/zoo.cfg.dynamic.100000000"


def test_nobody_tells() -> None:
    assert places(plain()) == Places()
