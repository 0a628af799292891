"""The main screen: banner, ensemble and nodes, logs, znodes; checks in their place; keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from zktui.checks.model import Chapter
from zktui.core.view import EnsembleView, View
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.model import Unfinished
from zktui.session import Session
from zktui.ui.fed import Fed
from zktui.ui.painting import Painter
from zktui.ui.palette import work_commands
from zktui.ui.panes.checks import ChecksPane
from zktui.ui.panes.ensemble import EnsemblePane
from zktui.ui.panes.logs import LogPane
from zktui.ui.panes.nodes import NodesPane
from zktui.ui.panes.znodes import ZnodePane
from zktui.ui.reach import app_of
from zktui.ui.situation import Situation, situation
from zktui.ui.text import Piece, content
from zktui.ui.widgets.banner import Banner
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.tabs import TabLine
from zktui.ui.works import Works

WIDE = (100, 30)
"""Columns and lines from which all panes are shown at once; below, they are tabs."""
PANES = Binding.Group("Panes")
TABS = (("ensemble", "1 Ensemble"), ("logs", "2 Logs"), ("znodes", "3 Znodes"), ("checks", "4 Checks"))


class MainScreen(Fed, Screen[None]):
    """Shows the chosen ensemble of the newest view; panes keep cursor, filter and scroll to themselves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "maintain", "Maintain"),
        Binding("u", "unfinished", "Unfinished run"),
        Binding("z", "zoom", "Zoom"),
        Binding("e", "ensembles", "Ensembles"),
        Binding("1", "focus_pane('ensemble')", "Ensemble", group=PANES),
        Binding("2", "focus_pane('logs')", "Logs", group=PANES),
        Binding("3", "focus_pane('znodes')", "Znodes", group=PANES),
        Binding("4", "focus_pane('checks')", "Checks", group=PANES),
        Binding("5", "runs", "Runs", group=PANES),
        Binding("r", "runs", "Runs", show=False),
        Binding("n", "focus_pane('nodes')", "Nodes", group=PANES),
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False),
    ]
    DEFAULT_CSS = """
    MainScreen {
        layout: vertical;
        #top { height: 9; }
        #nodes { border-left: solid $border-blurred; }
        #nodes:focus-within { border-left: solid $primary; }
        #ensemble { width: 41fr; }
        #nodes { width: 19fr; }
        #panes { height: 1fr; }
        #situation { height: 1fr; padding: 2 4; display: none; }
        #tabs, #checks { display: none; }
        &.-checking { #top, #logs, #znodes { display: none; } #checks { display: block; } }
        &.-nothing { #situation { display: block; } #panes, #tabs { display: none; } }
        &.-zoomed, &.-tabbed {
            #top, #logs, #znodes { display: none; }
            #top.-shown { display: block; height: 1fr; }
            #logs.-shown, #znodes.-shown { display: block; }
        }
        &.-zoomed #top > * { display: none; }
        &.-zoomed #top > .-shown { display: block; width: 1fr; border-left: none; }
        &.-tabbed {
            #tabs { display: block; }
            #top { layout: vertical; }
            #ensemble, #nodes { width: 1fr; border-left: none; }
        }
        &.-tabbed.-nothing #tabs { display: none; }
    }
    """

    def __init__(self, session: Session, painter: Painter, works: Works) -> None:
        super().__init__()
        self._session = session
        self._works = works
        self._painter = painter
        self._chosen: EnsembleKey | None = None
        self._situation: Situation | None = None
        self._tab = self._before_checks = "ensemble"
        self._unfinished: tuple[Unfinished, ...] = ()
        self._looked = False
        self._banner = Banner(id="banner")
        self._tabs = TabLine(TABS, id="tabs")
        self._words = Static(id="situation", markup=False)
        self._top = Horizontal(id="top")
        self._ensemble_pane = EnsemblePane()
        self._nodes_pane = NodesPane()
        self._log_pane = LogPane(session, id="logs")
        self._znode_pane = ZnodePane(session, id="znodes")
        self._checks_pane = ChecksPane(session, id="checks")

    def compose(self) -> ComposeResult:
        yield self._banner
        yield self._tabs
        yield self._words
        with Vertical(id="panes"):
            with self._top:
                yield self._ensemble_pane
                yield self._nodes_pane
            yield self._log_pane
            yield self._znode_pane
            yield self._checks_pane
        yield KeyBar()

    def on_mount(self) -> None:
        self.until_removed(self._painter.watch(self._paint))
        self._ensemble_pane.grid.focus()
        self.call_after_refresh(self._tell_of_drills)

    # -- which ensemble

    @property
    def ensemble(self) -> EnsembleView | None:
        """The ensemble that is shown."""
        return self._pick(self._painter.view)

    def switch(self, key: EnsembleKey) -> None:
        """Show this ensemble from now on."""
        self._chosen = key
        self._paint(self._painter.view)

    def _pick(self, view: View) -> EnsembleView | None:
        """The chosen one; the same name when it was deleted and made again; else the first."""
        found = view.ensemble(self._chosen)
        if found is None and self._chosen is not None:
            name = self._chosen[:2]
            found = next((e for e in view.ensembles if e.key[:2] == name), None)
        return found or next(iter(view.ensembles), None)

    # -- painting

    def _paint(self, view: View) -> None:
        ensemble = self._pick(view)
        if ensemble is not None and ensemble.key != self._chosen:
            self._chosen = ensemble.key
            self.refresh_bindings()
        session = self._session
        engine = session.desk.engine
        self._banner.paint(
            view,
            ensemble,
            session.place,
            engine.run if engine is not None else None,
            read_only=session.settings.read_only,
            tabbed=self.has_class("-tabbed"),
            unfinished=len(self._unfinished),
        )
        if not self._looked and view.ensembles:
            self._looked = True
            self.run_worker(
                partial(self._look, show=True), name="main: unfinished runs", exclusive=True, group="unfinished"
            )
        self._say(situation(view, session.place, session.settings))
        self._ensemble_pane.show(view, ensemble, figures=not self.has_class("-tabbed"))
        self._nodes_pane.show(view, ensemble)
        self._log_pane.show(ensemble)
        self._znode_pane.show(ensemble)
        self._checks_pane.show(ensemble)
        self._fit_top(view)

    def _say(self, now: Situation | None) -> None:
        if now == self._situation:
            return
        self._situation = now
        self.set_class(now is not None, "-nothing")
        if now is not None:
            self.set_focus(None)
            words: list[Content] = [content(Piece(now.headline, now.tone)), Content("")]
            words += [content(line) for line in now.lines]
            self._words.update(Content("\n").join(words))
        elif self.focused is None:
            self._ensemble_pane.grid.focus()

    def _fit_top(self, view: View) -> None:
        """The upper panes take what their rows need, within a third of the screen."""
        rows = max(self._ensemble_pane.lines_needed, len(view.nodes) + 2)
        height = max(8, min(rows, max(9, self.size.height // 3)))
        top = self._top
        wanted = None if self.has_class("-tabbed") or self.has_class("-zoomed") else height
        if wanted is None:
            top.styles.clear_rule("height")
        else:
            top.styles.height = wanted

    # -- runs that nobody drives

    async def _look(self, *, show: bool = False) -> None:
        """Find out which runs are not over; `show` them, unless something else is on the screen by then."""
        found = await self._session.desk.unfinished()
        if found != self._unfinished:
            self._unfinished = found
            self.refresh_bindings()
            self._paint(self._painter.view)
        if show and found and self.is_current:
            self.action_unfinished()

    def _tell_of_drills(self) -> None:
        """Once, at the start: a StatefulSet may be missing for no other reason than such a drill."""
        for which in self._session.drills.unfinished() if self._session.drills is not None else ():
            if not which.under_way:
                words = f"A storage drill of {which.namespace}/{which.name} was cut off. : offers its end."
                self.notify(words, severity="warning", timeout=20, markup=False)

    def on_screen_resume(self) -> None:
        """Something was closed: a run may have been taken up, or left."""
        if self._looked:
            self.run_worker(self._look, name="main: unfinished runs", exclusive=True, group="unfinished")

    # -- layout

    def on_resize(self, event: events.Resize) -> None:
        tabbed = event.size.width < WIDE[0] or event.size.height < WIDE[1]
        self.set_class(tabbed, "-tabbed")
        self._reveal()
        self._paint(self._painter.view)

    def on_descendant_focus(self) -> None:
        pane = self._pane_of_focus()
        if pane:
            self._tab = pane
            self._reveal()

    def _pane_of_focus(self) -> str:
        names = ("ensemble", "nodes", "logs", "znodes", "checks")
        chain = self.focused.ancestors_with_self if self.focused is not None else ()
        return next((node.id for node in chain if node.id in names), "")

    def _reveal(self) -> None:
        """In tabs or zoomed, only the pane with the focus is shown; the checks always take the place of all others."""
        if self._tab != "checks":
            self._before_checks = self._tab
        self.set_class(self._tab == "checks", "-checking")
        top = self._tab in ("ensemble", "nodes")
        shown = {"top": top, "logs": self._tab == "logs", "znodes": self._tab == "znodes"}
        shown |= {"ensemble": self._tab == "ensemble", "nodes": self._tab == "nodes"}
        for name, on in shown.items():
            self.query_one(f"#{name}").set_class(on, "-shown")
        self._tabs.choose("ensemble" if top else self._tab)

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        self.action_focus_pane(event.name)

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        if action == "unfinished":
            return bool(self._unfinished)
        if action == "ensembles":
            return len(self._painter.view.ensembles) > 1
        if action == "zoom" and self._tab == "checks":
            return False
        if action in ("focus_pane", "zoom", "maintain"):
            return self._situation is None
        return True

    def action_focus_pane(self, name: str) -> None:
        self._tab = name
        self._reveal()
        match name:
            case "ensemble":
                self._ensemble_pane.grid.focus()
            case "nodes":
                self._nodes_pane.grid.focus()
            case "logs":
                self._log_pane.focus()
            case "checks":
                self._checks_pane.focus()
            case _:
                self._znode_pane.focus()

    def on_checks_pane_left(self, event: ChecksPane.Left) -> None:
        event.stop()
        self.action_focus_pane(self._before_checks)

    def commands(self) -> Iterable[SystemCommand]:
        """What the command palette offers here beside the keys."""
        if self._situation is not None:  # where there is no ensemble yet, one can be made
            yield from work_commands(app_of(self), self._session, self._painter, self._works, None)
            return
        yield SystemCommand("Run all checks", "the tutorial's chapters, member by member", self._checking())
        for chapter in Chapter:
            name = f"Run checks: {int(chapter)} {chapter.title}"
            yield SystemCommand(name, f"zktui check {int(chapter)}", self._checking(chapter))

        yield from work_commands(app_of(self), self._session, self._painter, self._works, self.ensemble)

    def _checking(self, *chapters: Chapter) -> Callable[[], None]:
        def check() -> None:
            self.action_focus_pane("checks")
            self._checks_pane.run(chapters)

        return check

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")
        self._fit_top(self._painter.view)

    def action_maintain(self) -> None:
        ensemble = self.ensemble
        if ensemble is None:
            return
        # Imported at first use: the first paint does not pay for the wizard.
        from zktui.ui.screens.wizard import open_wizard  # noqa: PLC0415

        open_wizard(app_of(self), self._session, ensemble.key)

    def action_unfinished(self) -> None:
        from zktui.ui.screens.wizard.unfinished import UnfinishedScreen  # noqa: PLC0415  # likewise

        app_of(self).push_screen(UnfinishedScreen(self._session, self._unfinished))

    def action_runs(self) -> None:
        from zktui.ui.screens.runs import RunsScreen  # noqa: PLC0415  # likewise

        app_of(self).push_screen(RunsScreen(self._session))

    def action_ensembles(self) -> None:
        from zktui.ui.screens.ensembles import EnsemblesScreen  # noqa: PLC0415  # likewise

        def chosen(key: EnsembleKey | None) -> None:
            if key is not None:
                self.switch(key)

        app_of(self).push_screen(EnsemblesScreen(self._painter, self._chosen), chosen)

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
