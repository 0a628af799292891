"""The znode browser: a lazy tree, and the data and stat of the chosen znode."""

from __future__ import annotations

from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer

from zktui.core.ports import TreeError
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import EnsembleKey, Znode
from zktui.session import Session
from zktui.ui.branches import Branch, parent_of
from zktui.ui.fed import Fed
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.dataview import DataView
from zktui.ui.widgets.pane import Pane
from zktui.ui.widgets.prompt import Prompt
from zktui.ui.widgets.znodetree import ZnodeTree
from zktui.ui.znodebrowser import Browser
from zktui.ui.znodereader import Reader
from zktui.ui.znodetext import Form, document, stat_rows, summary

RECHECK = 3.0
"""Seconds between two looks at the stats of what is in view."""
HEX_WIDTH = 62
"""Cells that a hex dump of 16 bytes in a row takes."""
DWELL = 0.08
"""Seconds that the cursor stays on a znode before its data is read."""


class ZnodePane(Fed, Horizontal):
    """Browses the data tree of the ensemble that is shown. `focus()` gives the keys to the tree."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter siblings", key_display="/"),
        Binding("escape", "unfilter", "No filter"),
        Binding("g", "go", "Go to"),
        Binding("v", "form", "View as"),
        Binding("s", "stat", "Stat"),
        Binding("s", "data", "Data"),
        Binding("r", "refresh", "Refresh"),
        Binding("y", "copy", "Copy path"),
    ]
    DEFAULT_CSS = """
    ZnodePane {
        & > #znode-tree { width: 9fr; }
        & > #znode-data { width: 11fr; border-left: solid $border-blurred; }
        & ZnodeTree, & DataView { height: 1fr; }
    }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._clock = session.clock
        self._tree = ZnodeTree()
        self._data = DataView()
        self._prompt = Prompt()
        self._left = Pane(id="znode-tree")
        self._right = Pane(id="znode-data")
        self._browser = Browser(Reader(session.trees), self._tree, self._read)
        self._key: EnsembleKey | None = None
        self._filtered: Branch | None = None
        self._znode: Znode | None = None
        self._form = Form.AUTO
        self._stat = False
        self._dwell: Timer | None = None

    def compose(self) -> ComposeResult:
        with self._left:
            yield self._tree
            yield self._prompt
        with self._right:
            yield self._data

    def on_mount(self) -> None:
        self.until_removed(self._browser.stop)
        self.set_interval(RECHECK, self.recheck)
        self._retitle()

    async def on_unmount(self) -> None:
        await self._browser.close()

    def focus(self, scroll_visible: bool = True) -> Self:
        self._tree.focus(scroll_visible)
        return self

    def on_resize(self) -> None:
        if self._data.form is Form.HEX:  # the only form whose rows depend on the width
            self.call_after_refresh(self._show_data, again=True)

    @property
    def tree_view(self) -> ZnodeTree:
        return self._tree

    @property
    def data_view(self) -> DataView:
        return self._data

    @property
    def busy(self) -> bool:
        """What is shown is about to be read, or is being read."""
        return self._dwell is not None or self._browser.busy

    def show(self, view: EnsembleView | None) -> None:
        """Browse this ensemble from now on; None when there is none. Cheap when nothing changed."""
        key = view.key if view else None
        other = key != self._key
        self._key = key
        if other:
            self._znode, self._filtered = None, None
            self._data.show_notice(_WAITING if view else "There is no ensemble to browse.")
        self._browser.aim(view, other=other)
        if other:
            self._retitle()

    def recheck(self) -> None:
        """Look at the stats of what is in view; what has changed is read anew."""
        if self._key is not None and self.is_on_screen:
            self._browser.look({spot.path for spot in self._tree.in_view() if not spot.note} | {self._tree.cursor})

    # -- what comes in

    def _read(self, path: str, answer: Znode | TreeError) -> None:
        if isinstance(answer, TreeError):
            self._znode = None
            self._data.show_notice(f"⚠ {answer.reason}", Tone.BLOCKED)
        else:
            again = self._znode is not None and self._znode.path == path
            self._znode = answer
            self._show_data(again=again)
        self._retitle()

    def _show_data(self, *, again: bool = False) -> None:
        if self._znode is None or self.leaving:
            return
        if self._stat:
            self._data.show_rows(stat_rows(self._znode, self._clock.wall()), Form.TEXT, again=again)
        elif not self._znode.data:
            self._data.show_notice("No data: 0 bytes.")
        else:
            columns = 16 if self._data.scrollable_content_region.width >= HEX_WIDTH else 8
            shown = document(self._znode.data, self._form, columns)
            self._data.show_rows(shown.rows, shown.form, again=again)

    def _retitle(self) -> None:
        if not self.is_mounted:
            return
        cursor, through = self._tree.cursor, self._browser.through
        pieces = [Piece("Znodes", Tone.STRONG), Piece(f"  {cursor}")]
        self._left.titled(*pieces, Piece(f" · by {through}" if through else "", Tone.DIM))
        words = [self._znode.path] if self._znode is not None else []
        if self._znode is not None and self._stat:
            words.append("stat")
        elif self._znode is not None:
            words += summary(self._znode, self._data.form)
        self._right.titled(*(Piece(f" · {word}" if n else word) for n, word in enumerate(words)))
        self.refresh_bindings()

    # -- the tree's wishes

    def on_znode_tree_moved(self, event: ZnodeTree.Moved) -> None:
        event.stop()
        self._retitle()
        if self._dwell is not None:
            self._dwell.stop()
        self._dwell = self.set_timer(DWELL, self._dwelt)

    def _dwelt(self) -> None:
        self._dwell = None
        self._browser.read(self._tree.cursor)

    def on_znode_tree_unfolded(self, event: ZnodeTree.Unfolded) -> None:
        event.stop()
        self._browser.list(event.path, every=event.every)

    def on_znode_tree_unknown(self, event: ZnodeTree.Unknown) -> None:
        event.stop()
        self._browser.look(event.paths)

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  # overrides
        if self._prompt.is_open:
            return False
        match action:
            case "unfilter":
                return any(branch.filter for branch in self._tree.shape.all_open())
            case "stat":
                return not self._stat
            case "data":
                return self._stat
            case "form":
                return not self._stat
            case _:
                return True

    def action_filter(self) -> None:
        spot = self._tree.shape.spot(self._tree.cursor_row)
        path = spot.path if spot.note or spot.path == "/" else parent_of(spot.path)
        self._filtered = self._tree.shape.branch(path)
        if self._filtered is not None:
            self._prompt.ask("filter", "/", f"part of a name below {path}", self._filtered.filter)

    def action_unfilter(self) -> None:
        for branch in list(self._tree.shape.all_open()):
            branch.set_filter("")
        self._tree.changed()
        self._retitle()

    def action_go(self) -> None:
        self._prompt.ask("go", "go to", "/path/of/a/znode", self._tree.cursor.rstrip("/") + "/")

    def action_form(self) -> None:
        self._form = self._form.next
        self._show_data()
        self._retitle()

    def action_stat(self) -> None:
        self._stat = not self._stat
        self._show_data()
        self._retitle()

    def action_data(self) -> None:
        self.action_stat()

    def action_refresh(self) -> None:
        self._browser.refresh()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._tree.cursor)  # pyright: ignore[reportUnknownMemberType]  # App[Unknown]
        self.notify(f"Copied {self._tree.cursor!a}", markup=False, timeout=2)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        event.stop()
        if event.prompt.asked == "filter" and self._filtered is not None:
            self._filtered.set_filter(event.text)
            self._tree.changed()
            self._tree.show_from(self._filtered.path)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        event.stop()
        self._tree.focus()
        if event.prompt.asked == "go":
            path = "/" + "/".join(part for part in event.text.strip().split("/") if part)
            self._browser.go_to(path, lambda why: self.notify(why, severity="warning", markup=False))
        self._retitle()

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        event.stop()
        if event.prompt.asked == "filter" and self._filtered is not None:
            self._filtered.set_filter("")
            self._tree.changed()
        self._tree.focus()
        self._retitle()


_WAITING = "Waiting for a member that serves."
