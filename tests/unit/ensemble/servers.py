"""Servers to talk to: real ZooKeeper on loopback, scripted ones on sockets, and a Dialer that knows both."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from zktui.core.kube import Owner, Pod, PodKey, StatefulSet
from zktui.core.ports import DialError
from zktui.core.zookeeper import Ensemble
from zktui.demo import zookeeper

Address = tuple[str, int]


class RealClock:
    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class LoopbackDialer:
    """Dials addresses of this machine, and fails as a port-forward does: with a DialError that has its errno."""

    def __init__(self, addresses: dict[str, Address]) -> None:
        self.addresses = addresses
        self.refuse: dict[str, DialError] = {}
        """Pod name to the error with which dialling it fails."""
        self.dialled: list[str] = []

    def dial(self, pod: PodKey, port: int, timeout: float) -> socket.socket:
        self.dialled.append(pod.name)
        if pod.name in self.refuse:
            raise self.refuse[pod.name]
        try:
            return socket.create_connection(self.addresses[pod.name], timeout)
        except TimeoutError as error:
            raise DialError(errno.ETIMEDOUT, f"no answer in {timeout:g} s") from error
        except ConnectionRefusedError as error:
            raise DialError(errno.ECONNREFUSED, "connection refused") from error


class Scripted:
    """A server on a free port: what it gets first decides what `reply` says; None closes without a word."""

    def __init__(self, reply: Callable[[bytes, socket.socket], bytes | None]) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._listener.getsockname()[:2]
        self.asked: list[bytes] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            word = sock.recv(4)
            self.asked.append(word)
            if (reply := self._reply(word, sock)) is not None:
                sock.sendall(reply)

    def close(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(2)


class ZooKeepers:
    """An ensemble of real servers, one JVM each, on addresses 127.x.y.N that belong to this process alone."""

    def __init__(self, found: zookeeper.Distribution, folder: Path, count: int, words: str = "srvr") -> None:
        self._found = found
        self._folder = folder
        self._words = words
        net = os.getpid() % 16000 + 1000
        self.hosts = {f"zk-{n}": f"127.{64 + net // 250}.{net % 250 + 1}.{n + 1}" for n in range(count)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in self.hosts:
            self.start(name)

    def start(self, name: str) -> None:
        number = int(name.removeprefix("zk-"))
        home = self._folder / name
        (home / "data").mkdir(parents=True, exist_ok=True)
        (home / "data" / "myid").write_text(f"{number + 1}\n")
        servers = (f"server.{n + 1}={host}:2888:3888" for n, host in enumerate(self.hosts.values()))
        (home / "zoo.cfg").write_text(
            "tickTime=500\ninitLimit=20\nsyncLimit=10\nclientPort=2181\nadmin.enableServer=false\n"
            f"clientPortAddress={self.hosts[name]}\ndataDir={home / 'data'}\nsnapCount=1000000\n"
            f"4lw.commands.whitelist={self._words}\njute.maxbuffer=67108864\n" + "\n".join(servers) + "\n"
        )
        java = [str(self._found.java), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java += ["-Djute.maxbuffer=67108864", "-cp", self._found.classpath]
        with (home / "out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [*java, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(home / "zoo.cfg")],
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def addresses(self) -> dict[str, Address]:
        return {name: (host, 2181) for name, host in self.hosts.items()}

    @property
    def logs(self) -> list[Path]:
        """What the servers print, one file each."""
        return [self._folder / name / "out" for name in self.hosts]

    def freeze(self, name: str) -> None:
        """Returns once every thread has stopped: on a busy machine one of them may answer a moment longer."""
        self.processes[name].send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.processes[name].pid}/task")
        deadline = time.monotonic() + 10
        while any(_state(task) != "T" for task in tasks.iterdir()):
            assert time.monotonic() < deadline, f"{name} does not stop"
            time.sleep(0.01)

    def thaw(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


def make_pod(name: str, *, uid: str = "", node: str = "node-1", phase: str = "Running") -> Pod:
    return Pod(
        "default", name, uid or f"uid-{name}", node=node, phase=phase, owner=Owner("StatefulSet", "zk", "uid-zk")
    )


def make_ensemble() -> Ensemble:
    return Ensemble(StatefulSet("default", "zk", "uid-zk"), "zookeeper")


def left_behind(before: set[threading.Thread]) -> list[str]:
    """Names of threads that were not there before and still run after three seconds."""
    deadline = time.monotonic() + 3
    while True:
        left = [thread for thread in threading.enumerate() if thread not in before]
        if not left or time.monotonic() > deadline:
            return [thread.name for thread in left]
        left[0].join(0.05)


def _state(task: Path) -> str:
    """A thread's state letter; T for one that is gone."""
    with contextlib.suppress(OSError):
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    return "T"
