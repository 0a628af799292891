"""Programs in a container that look at the system: ``df``, ``du``, ``getent``, ``id``, ``ps``.

They print what Debian's do (coreutils, procps, glibc), which the official image is made of.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from zktui.demo.container import Answer, Container
from zktui.demo.namespaces import NAMES
from zktui.demo.network import own_name
from zktui.demo.objects import child, children
from zktui.demo.server_config import command_line, keeps_its_shell

SIZE = 1127
"""Pages that a process is said to have: that of a small shell."""

COLUMNS = ("Filesystem", "1024-blocks", "Used", "Available", "Capacity", "Mounted on")


async def df(container: Container, args: list[str]) -> Answer:
    """``df -Pk PATH…``: the machine's own disk, which all claims here are on, as with any local volume."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    err = ""
    for name in [word for word in args if not word.startswith("-")]:
        path = container.files.path(container.spec, name)
        if not path.exists():
            err += f"df: {name}: No such file or directory\n"
            continue
        total, used, free = (size // 1024 for size in shutil.disk_usage(path))
        share = -(-100 * used // (used + free)) if used + free else 0  # rounded up, as df does
        place = container.files.mounted_on(container.spec, name)
        rows.append(
            ("overlay" if place == "/" else "/dev/rehearsal", str(total), str(used), str(free), f"{share}%", place)
        )
    return Answer(_table(rows) if len(rows) > 1 else "", err, 1 if err else 0)


def _table(rows: list[tuple[str, ...]]) -> str:
    """The first column at least 14 wide, the last as it is, those between to the right."""
    wide = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    first = max(14, wide[0])
    lines = [
        " ".join([row[0].ljust(first), *(row[n].rjust(wide[n]) for n in range(1, len(row) - 1)), row[-1]])
        for row in rows
    ]
    return "\n".join(lines) + "\n"


async def du(container: Container, args: list[str]) -> Answer:
    """``du -sk PATH…``: KiB on the disk, of all that is below."""
    out, err = "", ""
    for name in [word for word in args if not word.startswith("-")]:
        path = container.files.path(container.spec, name)
        if path.exists():
            out += f"{_blocks(path) // 2}\t{name}\n"
        else:
            err += f"du: cannot access '{name}': No such file or directory\n"
    return Answer(out, err, 1 if err else 0)


def _blocks(path: Path) -> int:
    """Blocks of 512 bytes."""
    found = path.lstat().st_blocks
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                found += Path(folder, name).lstat().st_blocks
            except FileNotFoundError:
                continue  # purged meanwhile
    return found


async def getent(container: Container, args: list[str]) -> Answer:
    """``getent hosts NAME``: as the pod's resolver has it, a line for each address; exit code 2 where it has none."""
    if args[:1] != ["hosts"] or len(args) != 2:
        return Answer(err=f"Unknown database: {args[0]}\n" if args else "getent: wrong number of arguments\n", code=1)
    own = own_name(container.pod)
    out = ""
    for line in container.hosts.read_text().splitlines():
        address, *names = line.split()
        if args[1] in names:
            # The pod's own name stands in its /etc/hosts with an alias; DNS gives the whole name alone.
            shown = f"{own} {own.partition('.')[0]}" if names[0] == own and "." in own else names[0]
            out += f"{address:<15} {shown}\n"
    return Answer(out, code=0 if out else 2)


async def identity(container: Container, args: list[str]) -> Answer:
    """``id``, ``id -u`` and ``id -g``."""
    user, group = container.user, container.group
    extra = int(child(container.pod, "spec", "securityContext").get("fsGroup", group))
    groups = [group] if extra == group else [group, extra]
    match args:
        case []:
            listed = ",".join(_known(number) for number in groups)
            return Answer(f"uid={_known(user)} gid={_known(group)} groups={listed}\n")
        case ["-u"]:
            return Answer(f"{user}\n")
        case ["-g"]:
            return Answer(f"{group}\n")
        case _:
            return Answer(err=f"id: ‘{args[0]}’: no such user\n", code=1)


def _known(number: int) -> str:
    return f"{number}({NAMES[number]})" if number in NAMES else str(number)


def processes_of(container: Container) -> dict[int, str]:
    """Number to program, of what runs in the container beside a command in it."""
    if container.server is None:
        return {1: "sleep"}
    return {1: "sh", 7: "java"} if keeps_its_shell(container.spec) else {1: "java"}


async def ps(container: Container, args: list[str]) -> Answer:
    """The container's processes, as they would call themselves there."""
    begun, now = (time.strftime("%H:%M", time.gmtime(at)) for at in (container.started, time.time()))
    commands = {"sleep": "sleep"}
    if container.server is not None:
        shell = " ".join([*children(container.spec, "command"), *children(container.spec, "args")])
        commands = {"java": command_line(container.server, container.spec), "sh": shell}
    found = [(pid, 0 if pid == 1 else 1, begun, commands[name]) for pid, name in processes_of(container).items()]
    found.append((42, 0, now, " ".join(["ps", *args])))
    name = NAMES.get(container.user, str(container.user))
    user = name if len(name) <= 8 else f"{name[:7]}+"
    if any("l" in word for word in args):
        lines = [f"F S {'UID':<8} {'PID':>7} {'PPID':>7}  C PRI  NI ADDR SZ WCHAN  STIME TTY          TIME CMD"]
        lines += [
            f"4 S {user:<8} {pid:>7} {parent:>7}  0  80   0 - {SIZE:>5} -      {at} ?        00:00:00 {what}"
            for pid, parent, at, what in found
        ]
        return Answer("\n".join(lines) + "\n")
    lines = [f"{'UID':<8} {'PID':>7} {'PPID':>7}  C STIME TTY          TIME CMD"]
    lines += [f"{user:<8} {pid:>7} {parent:>7}  0 {at} ?        00:00:00 {what}" for pid, parent, at, what in found]
    return Answer("\n".join(lines) + "\n")
