"""Where a member keeps its files: as its configuration file has it, else its flags, else its server's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zktui.core.zookeeper import Ensemble

_FLAG = re.compile(r"--(?P<name>conf_dir|data_dir|data_log_dir)=(?P<value>\S+)")
_CONFIG_FILE = re.compile(r"(?P<path>/\S+\.cfg)(?:\s|$)")
_LOGGING = re.compile(r"-D(?:logback\.configurationFile|log4j\.configuration)=(?:file:)?(?P<path>/\S+)")
_SECURITY = re.compile(r"-Djava\.security\.properties=+(?P<path>/\S+)")
_DIRECTORY = re.compile(r"^(?P<name>dataDir|dataLogDir)=(?P<value>\S+?)(?:/version-2)?/?$", re.MULTILINE)
_DYNAMIC = re.compile(r"^dynamicConfigFile=(?P<path>/\S+)", re.MULTILINE)
_CONFIG_DIR_ENV = ("ZOOCFGDIR", "ZOO_CONF_DIR")


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths in the container; empty where nobody tells."""

    config_file: str = ""
    """zoo.cfg, as the running process was given it."""
    data: str = ""
    """dataDir, with myid in it."""
    log: str = ""
    """dataLogDir; the data folder where the configuration names none."""
    logging: str = ""
    """logback.xml or log4j.properties, where the process names it."""

    security: str = ""
    """The file of java.security properties that the process was given."""
    dynamic: str = ""
    """The dynamic configuration file; beside zoo.cfg where that names none."""

    @property
    def config_folder(self) -> str:
        return self.config_file.rpartition("/")[0]


def places(ensemble: Ensemble, conf: str = "", processes: str = "", config_file: str = "") -> Places:
    """What can be told. `conf` is the reply to that word, `processes` what `ps` printed, `config_file` zoo.cfg's text.

    `conf` answers with the folders' `version-2` (ZooKeeper 3.5 and later); myid stands one above.
    """
    container = next((c for c in ensemble.statefulset.template.containers if c.name == ensemble.container), None)
    flags = {m["name"]: m["value"] for m in _FLAG.finditer(" ".join(container.command) if container else "")}
    env = dict(container.env) if container else {}
    folder = next((env[name] for name in _CONFIG_DIR_ENV if env.get(name)), "") or flags.get("conf_dir", "")
    servers = "\n".join(line for line in processes.splitlines() if "QuorumPeerMain" in line)
    named = _CONFIG_FILE.search(servers)
    path = named["path"] if named else f"{folder}/zoo.cfg" if folder else ""
    written, said = ({m["name"]: m["value"] for m in _DIRECTORY.finditer(text)} for text in (config_file, conf))
    data = written.get("dataDir", "") or flags.get("data_dir", "") or said.get("dataDir", "")
    log = written.get("dataLogDir", "") or flags.get("data_log_dir", "") or said.get("dataLogDir", "") or data
    logging = _LOGGING.search(servers)
    security = _SECURITY.search(servers)
    dynamic = _DYNAMIC.search(config_file)
    return Places(
        config_file=path,
        data=data,
        log=log,
        logging=logging["path"] if logging else "",
        security=security["path"] if security else "",
        dynamic=dynamic["path"] if dynamic else f"{path}.dynamic" if path else "",
    )
