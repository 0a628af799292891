"""A view of a merged log, painted from a ring: only the lines in view are ever looked at."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.style import Style

from zktui.core.logring import LogLine, LogRing
from zktui.core.tasks import begin
from zktui.ui.fed import Fed
from zktui.ui.text import fit, printable, width
from zktui.ui.theme import Tone
from zktui.ui.widgets.longlines import LongLines
from zktui.ui.widgets.zklog import Level, is_poll, read

CAPACITY = 100_000
"""Lines kept over all members: at ZooKeeper's usual length some 50 MB when full."""
SLICE = 10_000
"""Lines looked at between two turns of the event loop while a filter is applied: some 10 ms."""
HUES = 8
LEVELS = {
    Level.NONE: Tone.PLAIN,
    Level.TRACE: Tone.DIM,
    Level.DEBUG: Tone.DIM,
    Level.INFO: Tone.DIM,
    Level.WARN: Tone.WAITING,
    Level.ERROR: Tone.BLOCKED,
    Level.FATAL: Tone.BLOCKED,
}


class Stamps(enum.Enum):
    """How much of a line's time is shown."""

    TIME = enum.auto()
    FULL = enum.auto()
    NONE = enum.auto()

    @property
    def next(self) -> Stamps:
        order = list(Stamps)
        return order[(order.index(self) + 1) % len(order)]

    def of(self, stamp: str) -> str:
        """The kubelet's RFC 3339 stamp, in a fixed number of cells."""
        if self is Stamps.NONE:
            return ""
        if self is Stamps.FULL:
            return fit(printable(stamp), 30) + " "
        _, _, clock = stamp.partition("T")
        return fit(printable(clock[:12].rstrip("Z")), 12) + " "


class Filter:
    """Case-insensitive words that must all be in the line or in the pod's name; `!word` must not be in it."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        words = text.casefold().split()
        self.wanted = tuple(word for word in words if not word.startswith("!"))
        self.unwanted = tuple(word[1:] for word in words if word.startswith("!") and len(word) > 1)

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)

    def __call__(self, line: LogLine) -> bool:
        hay = f"{line.pod} {line.text}".casefold()
        return all(word in hay for word in self.wanted) and not any(word in hay for word in self.unwanted)


class LogView(Fed, LongLines):
    """The newest `capacity` lines; follows the end until the reader scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "rows(-1)", "Up", show=False),
        Binding("down,j", "rows(1)", "Down", show=False),
        Binding("pageup", "pages(-1)", "Page up", show=False),
        Binding("pagedown", "pages(1)", "Page down", show=False),
        Binding("home", "oldest", "Oldest", show=False),
        Binding("end,G", "newest", "Newest", show=False),
        Binding("left", "sideways(-8)", "Left", show=False),
        Binding("right", "sideways(8)", "Right", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log--hue-{n}" for n in range(HUES)}
    # Eight hues apart from green, yellow and red, which mean something here.
    DEFAULT_CSS = """
    LogView {
        &:dark {
            & > .log--hue-0 { color: #56C7E8; } & > .log--hue-1 { color: #C79BFF; }
            & > .log--hue-2 { color: #FF9BC8; } & > .log--hue-3 { color: #7FA8FF; }
            & > .log--hue-4 { color: #4FD8C4; } & > .log--hue-5 { color: #D8B48A; }
            & > .log--hue-6 { color: #E58BE0; } & > .log--hue-7 { color: #A9BACB; }
        }
        &:light {
            & > .log--hue-0 { color: #00708F; } & > .log--hue-1 { color: #6B2FB3; }
            & > .log--hue-2 { color: #B0306F; } & > .log--hue-3 { color: #1F4FBF; }
            & > .log--hue-4 { color: #00756A; } & > .log--hue-5 { color: #7A5520; }
            & > .log--hue-6 { color: #952B90; } & > .log--hue-7 { color: #4A5A6B; }
        }
    }
    """

    class Changed(Message):
        """Follow, filter, members or counts are not what they were."""

    def __init__(self, capacity: int = CAPACITY, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.ring = LogRing(capacity)
        self.filter = Filter()
        self.hidden: frozenset[str] = frozenset()
        self.polls = False
        """Show also the lines in which servers say no more than that they were asked a four-letter word."""
        self.follow = True
        self.stamps = Stamps.TIME
        self.raw = False
        self.empty = ""
        self.unseen = 0
        """Lines that came in below the view since the reader left the end."""
        self._rows: deque[int] | None = deque()
        self._scan: asyncio.Task[None] | None = None
        self._hues: dict[str, int] = {}
        self._pods = 4

    # -- what is shown

    def __len__(self) -> int:
        """Rows shown: the lines kept that pass the filter."""
        return len(self.ring) if self._rows is None else len(self._rows)

    def line_at(self, row: int) -> LogLine:
        """Raises IndexError below the last row."""
        return self.ring[self.ring.first + row if self._rows is None else self._rows[row]]

    @property
    def searching(self) -> bool:
        """A filter is still being applied to older lines."""
        return self._scan is not None

    def set_members(self, pods: Sequence[str]) -> None:
        """Names of the pods whose colours are given out in this order; names seen before keep theirs."""
        for pod in pods:
            self._hues.setdefault(pod, len(self._hues) % HUES)
        longest = max((width(printable(pod)) for pod in pods), default=4)
        if longest != self._pods:
            self._pods = longest
            self.repaint()

    def hue(self, pod: str) -> Style:
        """The colour of a pod's name, without a background."""
        name = f"log--hue-{self._hues.setdefault(pod, len(self._hues) % HUES)}"
        return self.get_visual_style(name, partial=True)

    def clear(self) -> None:
        self.ring.clear()
        self._hues.clear()
        self.unseen = 0
        self._select()

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Append lines, oldest first; one repaint for all of them."""
        number = self.ring.total
        at_row = len(self)
        self.ring.extend(lines)
        dropped = 0
        if self._rows is None:
            dropped = at_row + len(lines) - len(self.ring)
        else:
            self._rows.extend(n for n, line in enumerate(lines, number) if self._shows(line))
            while self._rows and self._rows[0] < self.ring.first:
                self._rows.popleft()
                dropped += 1
        added = len(self) + dropped - at_row
        if added or dropped:
            self._arrange(max((len(line.text) for line in lines), default=0), dropped, added)
        else:
            self.post_message(self.Changed())

    def set_filter(self, text: str) -> None:
        if text != self.filter.text:
            self.filter = Filter(text)
            self._select()

    def set_hidden(self, pods: frozenset[str]) -> None:
        """Lines of these pods are kept but not shown."""
        if pods != self.hidden:
            self.hidden = pods
            self._select()

    def set_polls(self, shown: bool) -> None:
        """Show `polls` or leave them out."""
        if shown != self.polls:
            self.polls = shown
            self._select()

    def set_follow(self, follow: bool) -> None:
        """Stay at the newest line, or where the reader is."""
        if follow:
            self.unseen = 0
        if follow != self.follow:
            self.follow = follow
            self.post_message(self.Changed())
        if follow:
            self.jump(self.max_scroll_y)
            self.refresh()

    def _shows(self, line: LogLine) -> bool:
        if line.pod in self.hidden:
            return False
        if line.marker:
            return True
        if not self.polls and is_poll(line.text):
            return False
        return not self.filter or self.filter(line)

    def _select(self) -> None:
        """Another filter: the newest lines are looked at at once, older ones as the event loop has time."""
        self._stop_scan()
        self._strips.clear()
        if self.polls and not self.filter and not self.hidden:
            self._rows = None
        else:
            self._rows = deque()
            upto = self._older(self.ring.total)
            if upto > self.ring.first:
                self._scan = begin(self._look_back(upto), "log filter")
        self.unseen = 0
        self.set_follow(True)
        self._arrange(0, 0, 0)

    def _stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None

    def _older(self, upto: int) -> int:
        """Put the matches among the SLICE lines before `upto` in front; returns where that slice began."""
        assert self._rows is not None
        start = max(self.ring.first, upto - SLICE)
        matches = [n for n, line in islice(self.ring.since(start), max(0, upto - start)) if self._shows(line)]
        self._rows.extendleft(reversed(matches))
        return start

    async def _look_back(self, upto: int) -> None:
        while upto > self.ring.first:
            await asyncio.sleep(0)
            before = len(self)
            upto = self._older(upto)
            self._arrange(0, before - len(self), 0)
        self._scan = None
        self.post_message(self.Changed())

    def _arrange(self, longest: int, dropped: int, added: int) -> None:
        """Rows went at the top (or, below 0, came there) and came at the bottom: what is read stays where it is."""
        self.post_message(self.Changed())
        longest = max(self.virtual_size.width, longest + 20 + self._pods if longest else 0)
        self.set_extent(longest, len(self))
        if self.follow:
            self.jump(self.max_scroll_y)
        else:
            self.unseen += added
            if dropped:
                self.jump(self.scroll_offset.y - dropped)
        self.refresh()

    def on_mount(self) -> None:
        self.until_removed(self._stop_scan)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self.jumping:
            self.set_follow(new_value >= self.max_scroll_y)

    def on_resize(self) -> None:
        if self.follow:
            self.jump(self.max_scroll_y)

    # -- painting

    def row_key(self, row: int) -> Hashable | None:
        if row < len(self):
            return self.ring.first + row if self._rows is None else self._rows[row]
        return "empty" if row == 0 else None

    def paint_row(self, row: int) -> Iterable[Segment]:
        tones = self.tones()
        if row >= len(self):
            return [Segment("  " + (self._why_empty()), tones[Tone.DIM])]
        line = self.line_at(row)
        stamp = self.stamps.of(line.stamp)
        pod = Segment(fit(printable(line.pod), self._pods) + " ", (self.visual_style + self.hue(line.pod)).rich_style)
        if line.marker:
            rule = Segment("─" * max(0, len(stamp) - 1) + " " * bool(stamp), tones[Tone.DIM])
            return [rule, pod, Segment(f"── {printable(line.text)} ──", tones[Tone.WAITING])]
        head = [Segment(stamp, tones[Tone.DIM]), pod]
        if self.raw:
            return [*head, *self._marked(printable(line.text, 8), tones[Tone.PLAIN])]
        event = read(line.text)
        tone = tones[LEVELS[event.level]]
        words = tones[Tone.PLAIN] if event.level is Level.INFO else tone + RichStyle(bold=False)
        if not event.source:
            return [*head, Segment(" " * 6, words), *self._marked(printable(event.message, 8), words)]
        return [
            *head,
            Segment(f"{event.level:<5} ", tone),
            *self._marked(printable(event.message, 8), words),
            *self._marked(f"  {printable(event.source)}", tones[Tone.DIM]),
        ]

    def _why_empty(self) -> str:
        if not self.ring.total:
            return self.empty
        if not (self.filter or self.hidden):
            return "No line so far but those of polls; p shows them."
        return "Looking…" if self.searching else "No line passes; / changes the filter, esc takes it away."

    def _marked(self, text: str, style: RichStyle) -> list[Segment]:
        """The text with what the filter found set off."""
        folded = text.casefold()
        if not self.filter.wanted or len(folded) != len(text):
            return [Segment(text, style)]
        spans: list[tuple[int, int]] = []
        for word in self.filter.wanted:
            at = folded.find(word)
            while at >= 0:
                spans.append((at, at + len(word)))
                at = folded.find(word, at + len(word))
        parts: list[Segment] = []
        done = 0
        hit = style + RichStyle(reverse=True)
        for start, end in sorted(spans):
            if start >= done:
                parts += [Segment(text[done:start], style), Segment(text[start:end], hit)]
                done = end
        return [*parts, Segment(text[done:], style)]

    # -- keys

    def action_rows(self, by: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + by, animate=False)

    def action_pages(self, by: int) -> None:
        self.action_rows(by * max(1, self.scrollable_content_region.height - 1))

    def action_oldest(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_newest(self) -> None:
        self.set_follow(True)

    def action_sideways(self, by: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + by, animate=False)

    def toggle_stamps(self) -> None:
        self.stamps = self.stamps.next
        self.repaint()

    def toggle_raw(self) -> None:
        """Lines as they were written, or in columns of level, message and source."""
        self.raw = not self.raw
        self.repaint()
