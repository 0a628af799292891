"""What ``kubectl exec`` can run in a container of the rehearsal cluster.

A container here has no file system of its own but some folders, so commands are answered from what it would see.
With namespaces (:mod:`zktui.demo.namespaces`) those that look at processes and signal them are real, and are so for
the container's processes alone; without, they are answered too. ``zkCli.sh`` is ZooKeeper's real client. Anything
else ends as it does in a container that lacks the program. Nothing a user types is ever run by this machine's shell.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import stat
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path, PurePosixPath

from zktui.demo import four_letter, pipelines, programs
from zktui.demo.container import Answer, Container
from zktui.demo.namespaces import ENVIRONMENT, PROGRAMS
from zktui.demo.network import own_name
from zktui.demo.process import Child
from zktui.demo.runtime import CannotStart, ExecProcess
from zktui.demo.server_config import BadCommand, unwrap

CLI_JVM = ("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData")
CLI_LOGBACK = (
    '<configuration><appender name="E" class="ch.qos.logback.core.ConsoleAppender"><target>System.err</target>'
    "<encoder><pattern>%d{ISO8601} - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder></appender>"
    '<root level="WARN"><appender-ref ref="E"/></root></configuration>\n'
)
USER = "zookeeper"
SCRIPTS = ("zookeeper-ready",)


async def run(container: Container, argv: list[str], stdin: AsyncIterator[bytes] | None = None) -> ExecProcess:
    """Start ``argv`` in the container. Raises :class:`~zktui.demo.runtime.CannotStart` for an unknown program."""
    if piped := pipelines.parts(argv):
        return Answered(await pipelines.run(container, piped))
    try:
        words = unwrap(argv)
    except BadCommand as why:
        return Answered(Answer(err=f"{why}\n", code=2))
    name = PurePosixPath(words[0]).name if words else ""
    if name == "zkCli.sh":
        return await _zk_cli(container, words[1:], stdin)
    command = COMMANDS.get(name) if _is_there(container, words) else None
    if container.namespaces is not None and name in PROGRAMS and shutil.which(name):
        return Spawned(await container.start([name, *words[1:]], stdin=stdin is not None, env=ENVIRONMENT), stdin)
    if name in ("sh", "bash"):
        return Answered(Answer(err=f"{name}: the rehearsal cluster's shell only runs {name} -c COMMAND\n", code=2))
    if command is None and argv == words:
        raise CannotStart(_no_such_program(words[0] if words else ""))
    if command is None:
        return Answered(Answer(err=f"sh: 1: {words[0] if words else ''}: not found\n", code=127))
    return Answered(await command(container, words[1:]))


def _is_there(container: Container, words: list[str]) -> bool:
    """Programs of the system always are; the scripts that a manifest or an image brings only where they are found."""
    name = words[0] if words else ""
    if PurePosixPath(name).name not in SCRIPTS:
        return True
    return container.files.path(container.spec, name if "/" in name else f"/usr/bin/{name}").is_file()


def _no_such_program(name: str) -> str:
    """containerd's and runc's words."""
    return (
        f'failed to exec in container: failed to start exec "{uuid.uuid4().hex}{uuid.uuid4().hex}": OCI runtime exec '
        f'failed: exec failed: unable to start container process: exec: "{name}": executable file not found in $PATH'
    )


class Answered:
    """An :class:`~zktui.demo.runtime.ExecProcess` whose output is known already."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def stdout(self) -> AsyncIterator[bytes]:
        return _once(self._answer.out)

    @property
    def stderr(self) -> AsyncIterator[bytes]:
        return _once(self._answer.err)

    async def wait(self) -> int:
        return self._answer.code

    def kill(self) -> None:
        """Nothing is left to end."""


async def _once(text: str) -> AsyncIterator[bytes]:
    if text:
        yield text.encode()


class Spawned:
    """An :class:`~zktui.demo.runtime.ExecProcess` that is a real process."""

    def __init__(self, process: Child, stdin: AsyncIterator[bytes] | None) -> None:
        self._process = process
        self._feeding = asyncio.ensure_future(process.feed(stdin)) if stdin is not None else None

    @property
    def stdout(self) -> AsyncIterator[bytes]:
        return self._process.chunks()

    @property
    def stderr(self) -> AsyncIterator[bytes]:
        return self._process.chunks(error=True)

    async def wait(self) -> int:
        code = await self._process.wait()
        if self._feeding is not None:
            self._feeding.cancel()
        return code

    def kill(self) -> None:
        self._process.signal(signal.SIGKILL)


async def _zk_cli(container: Container, args: list[str], stdin: AsyncIterator[bytes] | None) -> ExecProcess:
    """ZooKeeper's own command line client, connected to this pod's server unless told otherwise."""
    logback = container.files.folder / "zkcli-logback.xml"
    if not logback.exists():
        logback.write_text(CLI_LOGBACK)
    server = f"{container.ip}:{container.client_port}"
    if "-server" in args[:-1]:
        place = args.index("-server") + 1
        local = args[place].replace("localhost:", f"{container.ip}:").replace("127.0.0.1:", f"{container.ip}:")
        args = [*args[:place], local, *args[place + 1 :]]
    else:
        args = ["-server", server, *args]
    process = await container.start(
        [
            str(container.distribution.java),
            *CLI_JVM,
            f"-Djdk.net.hosts.file={container.hosts}",
            f"-Dlogback.configurationFile={logback}",
            "-cp",
            container.distribution.classpath,
            "org.apache.zookeeper.ZooKeeperMain",
            *args,
        ],
        stdin=stdin is not None,
    )
    return Spawned(process, stdin)


# -- the programs ------------------------------------------------------------------------------------------


async def _hostname(container: Container, args: list[str]) -> Answer:
    host, _, domain = own_name(container.pod).partition(".")
    match args:
        case [] | ["-s"]:
            return Answer(f"{host}\n")
        case ["-f"] | ["--fqdn"]:
            return Answer(f"{host}.{domain}\n" if domain else f"{host}\n")
        case ["-d"]:
            return Answer(f"{domain}\n")
        case ["-i"] | ["-I"]:
            return Answer(f"{container.ip}\n")
        case _:
            return Answer(err=f"hostname: invalid option -- '{args[0].lstrip('-')}'\n", code=1)


async def _cat(container: Container, args: list[str]) -> Answer:
    out, err = "", ""
    for name in args:
        path = container.files.path(container.spec, name)
        if name == "/etc/hosts":
            path = container.hosts
        if path.is_dir():
            err += f"cat: {name}: Is a directory\n"
        elif path.is_file():
            out += path.read_text(errors="replace")
        else:
            err += f"cat: {name}: No such file or directory\n"
    return Answer(out, err, 1 if err else 0)


async def _ls(container: Container, args: list[str]) -> Answer:
    options = "".join(word[1:] for word in args if word.startswith("-"))
    names = [word for word in args if not word.startswith("-")] or ["/"]
    out, err = "", ""
    for name in names:
        path = container.files.path(container.spec, name)
        if not path.exists():
            err += f"ls: cannot access '{name}': No such file or directory\n"
            continue
        entries = [path] if "d" in options or path.is_file() else sorted(path.iterdir())
        shown = [(entry, name if entry is path else entry.name) for entry in entries]
        if len(names) > 1 and path.is_dir() and "d" not in options:
            out += f"{name}:\n"
        for entry, label in shown:
            if entry is path or "a" in options or not label.startswith("."):
                out += (_long(entry, label) if "l" in options else label) + "\n"
    return Answer(out, err, 2 if err else 0)


def _long(path: Path, label: str) -> str:
    """A line of ``ls -l``; by fsGroup the files belong to the pod's user."""
    found = path.stat()
    when = time.strftime("%b %e %H:%M", time.gmtime(found.st_mtime))
    return f"{stat.filemode(found.st_mode)} {found.st_nlink} {USER} {USER} {found.st_size:>6} {when} {label}"


async def _touch(container: Container, args: list[str]) -> Answer:
    """``touch FILE…``: makes files that are not there."""
    err = ""
    for name in args:
        path = container.files.path(container.spec, name)
        if container.files.read_only(container.spec, name):
            err += f"touch: cannot touch '{name}': Read-only file system\n"
        elif not path.parent.is_dir():
            err += f"touch: cannot touch '{name}': No such file or directory\n"
        else:
            path.touch()
    return Answer(err=err, code=1 if err else 0)


async def _cp(container: Container, args: list[str]) -> Answer:
    """``cp FILE FILE``."""
    if len(args) != 2:
        return Answer(err="cp: here it takes one file and where it goes\n", code=1)
    source, target = (container.files.path(container.spec, name) for name in args)
    if not source.is_file():
        return Answer(err=f"cp: cannot stat '{args[0]}': No such file or directory\n", code=1)
    if container.files.read_only(container.spec, args[1]):
        return Answer(err=f"cp: cannot create regular file '{args[1]}': Read-only file system\n", code=1)
    if not target.parent.is_dir():
        return Answer(err=f"cp: cannot create regular file '{args[1]}': No such file or directory\n", code=1)
    target.write_bytes(source.read_bytes())
    return Answer()


async def _rm(container: Container, args: list[str]) -> Answer:
    """``rm [-f] FILE…``: no folders."""
    forced = "-f" in args
    err = ""
    for name in [word for word in args if not word.startswith("-")]:
        path = container.files.path(container.spec, name)
        if not path.exists():
            err += "" if forced else f"rm: cannot remove '{name}': No such file or directory\n"
        elif container.files.read_only(container.spec, name):
            err += f"rm: cannot remove '{name}': Read-only file system\n"
        elif path.is_dir():
            err += f"rm: cannot remove '{name}': Is a directory\n"
        else:
            path.unlink()
    return Answer(err=err, code=1 if err else 0)


async def _echo(_container: Container, args: list[str]) -> Answer:
    return Answer(" ".join(args) + "\n")


async def _pkill(container: Container, args: list[str]) -> Answer:
    """Signals the container's own process, and only it."""
    number = signal.SIGTERM
    if args and args[0].startswith("-"):
        name = args[0].lstrip("-").removeprefix("SIG")
        found = [entry for entry in signal.Signals if name in (entry.name.removeprefix("SIG"), str(entry.value))]
        if not found:
            return Answer(err=f"pkill: invalid option -- '{name}'\n", code=2)
        number, args = found[0], args[1:]
    if args != ["java"] or container.server is None or not container.main.running:
        return Answer(code=1)
    if number in (signal.SIGKILL, signal.SIGSTOP) and programs.processes_of(container)[1] == "java":
        return Answer()  # the kernel keeps a process 1 from these when they come from its own container
    container.main.signal(number)
    return Answer()


async def _kill(container: Container, args: list[str]) -> Answer:
    """``kill PID``, of a process that ``ps`` shows."""
    if len(args) != 1 or not args[0].isdigit():
        return Answer(err="kill: here it takes the number of one process\n", code=1)
    processes = programs.processes_of(container)
    if int(args[0]) not in processes:
        return Answer(err=f"kill: ({args[0]}): No such process\n", code=1)
    # Process 1 has no default handlers: a shell there is not ended by a signal from its own namespace.
    if container.main.running and processes[int(args[0])] == "java":
        container.main.signal(signal.SIGTERM)
    return Answer()


async def _zookeeper_ready(container: Container, args: list[str]) -> Answer:
    """``zookeeper-ready PORT``: is the server alive (``ruok``)? With ``serving``: has its ``srvr`` a Mode?

    The one-argument form is the tutorial's; a server that does not whitelist ``ruok`` answers with a refusal,
    and that is alive too.
    """
    if not args or not args[0].isdigit() or len(args) > 2:
        return Answer(err="zookeeper-ready: usage: zookeeper-ready PORT [serving]\n", code=2)
    serving = args[1:] == ["serving"]
    word = "srvr" if serving else "ruok"
    try:
        answer = await four_letter.ask(container.ip, int(args[0]), word)
    except OSError:
        return Answer(err=f"zookeeper-ready: port {args[0]}: Connection refused\n", code=1)
    if serving:
        mode = four_letter.mode(answer)
        return Answer(code=0) if mode in four_letter.SERVING else Answer(answer, code=1)
    return Answer(code=0) if answer else Answer(code=1)


async def _zk_server(container: Container, args: list[str]) -> Answer:
    """``zkServer.sh [--config DIR] status``."""
    folder = container.server.flags["conf_dir"] if container.server is not None else "/conf"
    if args[:1] == ["--config"]:
        folder, args = "".join(args[1:2]), args[2:]
    if args[:1] != ["status"] or container.server is None:
        return Answer(err="zkServer.sh: only status can be asked for here\n", code=1)
    conf = f"Using config: {folder}/zoo.cfg\n"
    if not container.files.path(container.spec, f"{folder}/zoo.cfg").is_file():
        return Answer(err=f"{conf}grep: {folder}/zoo.cfg: No such file or directory\n", code=1)
    try:
        mode = four_letter.mode(await four_letter.ask(container.ip, container.client_port, "srvr"))
    except OSError:
        mode = ""
    if not mode:
        return Answer(err=conf + "Error contacting service. It is probably not running.\n", code=1)
    return Answer(f"Client port found: {container.client_port}. Mode: {mode}\n", conf)


async def _true(_container: Container, _args: list[str]) -> Answer:
    return Answer()


async def _false(_container: Container, _args: list[str]) -> Answer:
    return Answer(code=1)


COMMANDS: dict[str, Callable[[Container, list[str]], Awaitable[Answer]]] = {
    "cat": _cat,
    "cp": _cp,
    "df": programs.df,
    "du": programs.du,
    "echo": _echo,
    "false": _false,
    "getent": programs.getent,
    "hostname": _hostname,
    "id": programs.identity,
    "kill": _kill,
    "ls": _ls,
    "pkill": _pkill,
    "ps": programs.ps,
    "rm": _rm,
    "touch": _touch,
    "true": _true,
    "zkServer.sh": _zk_server,
    "zookeeper-ready": _zookeeper_ready,
}
