"""Chapter 4: does what is written through one member come back through every other?

Sources: Kubernetes' tutorial "Sanity testing the ensemble"; ZooKeeper's consistency guarantees: a write is acknowledged
once a majority has it, and a read may be older than that unless a `sync` through the same member came before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Chapter, Check, Evidence, Result, Skipped
from zktui.core.kube import Pod
from zktui.core.rounds import Read, Round, Trouble, Write

SLOW = 1.0
"""Seconds for one write, or one synced read, from which it is a warning: half of the usual tick."""

_WRITES, _READS = "A write through each is acknowledged", "Each member has what the others wrote"
_HOW = "the round writes; zktui check sanity plays it, or --writes"


def sanity(inventory: Inventory) -> Iterable[Check]:
    yield _synced(inventory)
    round_ = inventory.sanity.value
    if round_ is not None:
        yield _written(inventory, round_)
        yield _read(inventory, round_)
        yield _cleared(round_)


def not_played(inventory: Inventory) -> Iterable[Skipped]:
    """The checks that take a round, where none was played."""
    if inventory.sanity.value is None:
        yield Skipped("sanity.write", Chapter.SANITY, _WRITES, _HOW)
        yield Skipped("sanity.read", Chapter.SANITY, _READS, _HOW)


def _synced(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            report = inventory.reports.get(pod.uid)
            told = inventory.synced.get(pod.name, Known[bool]())
            if told.value:
                zxid = f", zxid {report.zxid}" if report is not None and report.zxid is not None else ""
                yield Evidence(pod.name, Result.PASS, f"a sync and a read through it succeed{zxid}")
            elif not _runs(pod):
                yield Evidence(pod.name, Result.FAIL, f"it does not run ({pod.status})")
            else:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)

    return Check(
        "sanity.sync",
        Chapter.SANITY,
        "Each member answers after a sync",
        tuple(seen()),
        "A member that can't sync serves the past, or nobody: see what its log says of its leader.",
        by_hand="kubectl exec zk-1 -- zkCli.sh sync /",
    )


def _runs(pod: Pod) -> bool:
    return pod.phase == "Running" and not pod.terminating


def _written(inventory: Inventory, played: Round) -> Check:
    writes = {write.member: write for write in played.writes}

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            write = writes.get(pod.name)
            if write is None:
                yield Evidence(pod.name, Result.FAIL, f"it does not run ({pod.status})")
            elif write.trouble is not None:
                yield _failed(pod.name, write.trouble)
            else:
                yield _acknowledged(write)

    return Check(
        "sanity.write",
        Chapter.SANITY,
        _WRITES,
        tuple(seen()),
        "A write that is not acknowledged may have been done or not: its client has to find out. Slow ones wait for "
        "a disk (fsync of the transaction log) or for a follower far away.",
        by_hand="kubectl exec zk-0 -- zkCli.sh create /hello world",
    )


def _acknowledged(write: Write) -> Evidence:
    words = f"created {write.path} in {_milliseconds(write.seconds)}, zxid {write.zxid}"
    return Evidence(write.member, Result.WARN if write.seconds >= SLOW else Result.PASS, words)


def _failed(member: str, trouble: Trouble) -> Evidence:
    return Evidence(member, Result.FAIL if trouble.told else Result.UNKNOWN, trouble.why)


def _read(inventory: Inventory, played: Round) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            reads = [read for read in played.reads if read.member == pod.name]
            if not reads:
                why = "nothing was written through another member" if _runs(pod) else f"it does not run ({pod.status})"
                yield Evidence(pod.name, Result.UNKNOWN if _runs(pod) else Result.FAIL, why)
            else:
                yield _reads_of(pod.name, reads)

    return Check(
        "sanity.read",
        Chapter.SANITY,
        _READS,
        tuple(seen()),
        "After a sync a member has everything that was acknowledged before it. One that has not is no member of this "
        "ensemble: compare its configuration with the others'.",
        by_hand="kubectl exec zk-1 -- zkCli.sh get /hello",
    )


def _reads_of(member: str, reads: list[Read]) -> Evidence:
    troubled = [read for read in reads if read.trouble is not None]
    if troubled:
        worst = min(troubled, key=lambda read: read.trouble is not None and not read.trouble.told)
        trouble = worst.trouble or Trouble("")
        return _failed(member, Trouble(f"written through {worst.writer}: {trouble.why}", trouble.told))
    other = [read.writer for read in reads if not read.same]
    if other:
        return Evidence(member, Result.FAIL, f"it has something else than was written through {', '.join(other)}")
    slowest = max(reads, key=lambda read: read.synced + read.seconds)
    took = f"sync {_milliseconds(slowest.synced)}, read {_milliseconds(slowest.seconds)}"
    slow = slowest.synced + slowest.seconds >= SLOW
    each = ", ".join(f"{read.writer}'s at zxid {read.zxid}" for read in reads)
    return Evidence(member, Result.WARN if slow else Result.PASS, f"has {each}; at most {took}")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def _cleared(played: Round) -> Check:
    made = sum(1 for write in played.writes if write.trouble is None)
    if played.left:
        when = f"go with their sessions, within {played.expires:.0f} s"
        found = Evidence("", Result.WARN, f"not confirmed: {', '.join(played.left)}; being ephemeral they {when}")
    else:
        found = Evidence("", Result.PASS, f"{made} znodes were made and deleted again")
    return Check(
        "sanity.cleared",
        Chapter.SANITY,
        "Nothing of the round is left",
        (found,),
        "A session was lost in the middle of the round; its znode goes when the session expires.",
        by_hand="kubectl exec zk-0 -- zkCli.sh delete /hello",
    )
