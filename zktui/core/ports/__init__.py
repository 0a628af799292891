"""What the inner layers ask of the outer ones. Adapters fulfil these in `cluster` and `ensemble`; fakes in tests.

A request's outcome is a value, never an exception: `Answer`, `Refused` (the server said no), or `Unanswered` (nobody
knows). A change whose outcome is `Unanswered` is never sent again without reading first.
"""

from zktui.core.ports.clock import Clock
from zktui.core.ports.cluster import Cluster, Evicted, Place
from zktui.core.ports.objects import Announcer, Executed, Executor, Notice, Objects, Where
from zktui.core.ports.probe import Probe, ProbeGap, ProbeSession, ProbeSummary
from zktui.core.ports.rehearsal import Breakage, Breaker
from zktui.core.ports.replies import Answer, Cause, Refused, Reply, Unanswered
from zktui.core.ports.servers import Dialer, DialError, Members, Rounds, Words
from zktui.core.ports.streams import LogBatch, LogSource, Source
from zktui.core.ports.trees import Tree, TreeError, Trees

__all__ = [
    "Announcer",
    "Answer",
    "Breakage",
    "Breaker",
    "Cause",
    "Clock",
    "Cluster",
    "DialError",
    "Dialer",
    "Evicted",
    "Executed",
    "Executor",
    "LogBatch",
    "LogSource",
    "Members",
    "Notice",
    "Objects",
    "Place",
    "Probe",
    "ProbeGap",
    "ProbeSession",
    "ProbeSummary",
    "Refused",
    "Reply",
    "Rounds",
    "Source",
    "Tree",
    "TreeError",
    "Trees",
    "Unanswered",
    "Where",
    "Words",
]
