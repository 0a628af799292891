"""The log pane: one merged, live stream of the ensemble's members."""

from __future__ import annotations

from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.style import Style

from zktui.core.view import EnsembleView
from zktui.core.zookeeper import EnsembleKey
from zktui.session import Session
from zktui.ui.fed import Fed
from zktui.ui.logfeed import LogFeed
from zktui.ui.text import printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.logview import LogView
from zktui.ui.widgets.memberbar import MemberBar
from zktui.ui.widgets.pane import Pane
from zktui.ui.widgets.prompt import Prompt

_NOTHING = "There is no ensemble to follow."


class LogPane(Fed, Pane):
    """Follows the logs of every member of the ensemble that is shown, through rebirths and cuts.

    `focus()` gives the keys to the lines; the pane's own keys work while any part of it has them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,f", "pause", "Pause", key_display="space"),
        Binding("space,f", "follow", "Follow", key_display="space"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "unfilter", "No filter"),
        Binding("s", "members", "Members"),
        Binding("left_square_bracket", "solo(-1)", "One member", key_display="[ ]"),
        Binding("right_square_bracket", "solo(1)", "Next member", show=False),
        Binding("p", "polls", "Polls"),
        Binding("t", "stamps", "Time"),
        Binding("x", "raw", "Raw"),
    ]
    DEFAULT_CSS = """
    LogPane > LogView { height: 1fr; }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._lines = LogView()
        self._members = MemberBar()
        self._prompt = Prompt()
        self._feed = LogFeed(session.logs, session.clock, self._lines.extend)
        self._key: EnsembleKey | None = None
        self._names: tuple[str, ...] = ()
        self._keys = (True, False)
        """What decides which keys work: following, and something is left out."""

    def compose(self) -> ComposeResult:
        yield self._lines
        yield self._members
        yield self._prompt

    def on_mount(self) -> None:
        self.until_removed(self._feed.stop)
        self._retitle()

    async def on_unmount(self) -> None:
        await self._feed.close()

    def focus(self, scroll_visible: bool = True) -> Self:
        self._lines.focus(scroll_visible)
        return self

    @property
    def lines(self) -> LogView:
        return self._lines

    def show(self, view: EnsembleView | None) -> None:
        """Follow this ensemble from now on; None when there is none. Cheap when nothing changed."""
        key = view.key if view else None
        if key != self._key:
            self._key = key
            self._feed.stop()
            self._lines.clear()
            self._lines.set_hidden(frozenset())
        names = tuple(dict.fromkeys(member.pod.name for member in view.members)) if view else ()
        if names != self._names:
            self._names = names
            self._lines.set_members(names)
            self._members.set_names(names, self._lines.hidden)
            self._lines.empty = f"Waiting for the first line of {', '.join(names)}." if names else _NOTHING
            self._retitle()
        if view is not None:
            self._feed.watch(view.ensemble, [member.pod for member in view.members])

    # -- title

    def on_log_view_changed(self) -> None:
        self._retitle()

    def _retitle(self) -> None:
        if not self.is_mounted:
            return
        view = self._lines
        parts: list[str | tuple[str, str | Style]] = [("Logs ", Tone.STRONG.value)]
        for name in self._names:
            hidden = name in view.hidden
            parts.append((f" {printable(name)}", f"{Tone.DIM.value} strike" if hidden else view.hue(name)))
        if self._key is not None:
            parts += self._state()
        self.border_title = Content.assemble(*parts)
        keys = (view.follow, bool(view.filter or view.hidden))
        if keys != self._keys:
            self._keys = keys
            self.refresh_bindings()

    def _state(self) -> list[str | tuple[str, str]]:
        view = self._lines
        parts: list[str | tuple[str, str]] = [" · "]
        if view.follow:
            parts.append(("follow", Tone.SAFE.value))
        else:
            parts.append(("paused", Tone.WAITING.value))
            parts += [f", {view.unseen:,} new below"] if view.unseen else []
        if view.filter:
            parts += [" · ", (printable(f"/{view.filter.text}"), Tone.KEY.value)]
        parts.append(f" · {len(view):,}")
        if len(view) != len(view.ring):
            parts.append(f" of {len(view.ring):,}")
        parts.append(" lines" + ("…" if view.searching else ""))
        if not view.polls:
            parts.append((", no polls", Tone.DIM.value))
        if view.ring.dropped:
            parts.append((f" · {view.ring.dropped:,} older dropped", Tone.DIM.value))
        return parts

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  # overrides
        if self._prompt.is_open or self._members.is_open:
            return False
        match action:
            case "pause":
                return self._lines.follow
            case "follow":
                return not self._lines.follow
            case "unfilter":
                return bool(self._lines.filter or self._lines.hidden)
            case _:
                return True

    def action_pause(self) -> None:
        self._lines.set_follow(False)

    def action_follow(self) -> None:
        self._lines.set_follow(True)

    def action_filter(self) -> None:
        self._prompt.ask("filter", "/", "words to find, !word to leave out", self._lines.filter.text)

    def action_unfilter(self) -> None:
        self._lines.set_filter("")
        self._hide(frozenset())

    def action_members(self) -> None:
        self._members.open()

    def action_solo(self, by: int) -> None:
        """All members, then each of them alone, then all again."""
        shown = [name for name in self._names if name not in self._lines.hidden]
        at = self._names.index(shown[0]) + 1 if len(shown) == 1 and len(self._names) > 1 else 0
        at = (at + by) % (len(self._names) + 1)
        self._hide(frozenset() if at == 0 else frozenset(self._names) - {self._names[at - 1]})

    def action_polls(self) -> None:
        """Show or leave out the lines that tell of four-letter words, zktui's own among them."""
        self._lines.set_polls(not self._lines.polls)

    def action_stamps(self) -> None:
        self._lines.toggle_stamps()

    def action_raw(self) -> None:
        self._lines.toggle_raw()

    def _hide(self, names: frozenset[str]) -> None:
        self._lines.set_hidden(names)
        self._members.set_names(self._names, names)
        self._retitle()

    def on_member_bar_chosen(self, event: MemberBar.Chosen) -> None:
        event.stop()
        self._hide(event.hidden)

    def on_member_bar_closed(self) -> None:
        self._lines.focus()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        event.stop()
        self._lines.set_filter(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        event.stop()
        self._lines.set_filter(event.text)
        self._lines.focus()

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        event.stop()
        self._lines.set_filter("")
        self._lines.focus()
