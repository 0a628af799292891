from __future__ import annotations

import pytest

from zktui.ui.widgets.zklog import Event, Level, read


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (
            "2026-09-21 14:13:20,123 [myid:1] - INFO  [main:o.a.z.s.q.QuorumPeerConfig@177] - Reading configuration",
            Event(Level.INFO, "Reading configuration", "main:o.a.z.s.q.QuorumPeerConfig@177"),
        ),
        (
            # A thread's name holds brackets, and the message may look like the end of a source.
            "2026-09-21 14:13:20,123 [myid:2] - WARN  [Peer[myid=2](plain=[::]:2181):o.a.z.s.q.Learner@5] - a] - b",
            Event(Level.WARN, "a] - b", "Peer[myid=2](plain=[::]:2181):o.a.z.s.q.Learner@5"),
        ),
        (
            "2026-09-21 14:13:20,123 [myid:] - ERROR [main:Main@1] - ",
            Event(Level.ERROR, "", "main:Main@1"),
        ),
        ("\tat org.apache.zookeeper.Foo(Foo.java:1)", Event(Level.NONE, "\tat org.apache.zookeeper.Foo(Foo.java:1)")),
        ("[14:13:20] WARNING: deprecated", Event(Level.WARN, "[14:13:20] WARNING: deprecated")),
        ("x" * 80 + " ERROR", Event(Level.NONE, "x" * 80 + " ERROR")),
        ("INFORMATION is not a level", Event(Level.NONE, "INFORMATION is not a level")),
        ("", Event(Level.NONE, "")),
    ],
)
def test_a_line_is_read_for_what_it_says(text: str, event: Event) -> None:
    assert read(text) == event
