"""The interactive program: one app over one session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, cast

from rich.console import RenderableType
from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import WorkerFailed

from zktui.core.ports import Breaker
from zktui.errors import UsageError
from zktui.maintenance.model import Command, CommandKind
from zktui.session import Session
from zktui.ui.alarm import Alarm
from zktui.ui.painting import Painter
from zktui.ui.screens.leave import LeaveScreen, Leaving
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.small import TooSmallScreen, too_small
from zktui.ui.text import Piece
from zktui.ui.theme import DARK, THEMES, Tone
from zktui.ui.widgets.keybar import keys_of
from zktui.ui.widgets.page import row
from zktui.ui.works import Doing, Works


class ZktuiApp(App[None]):
    """Paints what the session's store holds. It begins the session's streams once the first frame is on the screen.

    `on_fault` is told each unexpected error; after one the app ends, with return code 1, and says nothing of it itself.
    `breaker` is there on a rehearsal cluster alone. Raises UsageError when the settings name a theme that does not
    exist.
    """

    TITLE = "zktui"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon", "command_palette", "Command"),
        Binding("b", "break", "Break something"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self,
        session: Session,
        on_fault: Callable[[BaseException], object] | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        super().__init__()
        self._breaker = breaker
        self.session = session
        self._on_fault = on_fault
        self.painter = Painter(session.store)
        self.works = Works(self._work_ended)
        self.leaves_unattended = False
        """The program ends, and the run under way is to be left as it is."""
        alarm = Alarm(self.bell)
        self.painter.watch(lambda view: alarm.watch(session.desk.engine.run if session.desk.engine else None, view))
        for theme in THEMES:
            self.register_theme(theme)
        wanted = session.settings.theme or DARK.name
        if wanted not in self.available_themes:
            names = ", ".join(sorted(self.available_themes))
            raise UsageError(f"There is no theme {wanted}.", f"Choose one of: {names}.")
        self.theme = wanted

    def get_default_screen(self) -> Screen[object]:
        return cast("Screen[object]", MainScreen(self.session, self.painter, self.works))

    def on_ready(self) -> None:
        # Threads that start before the first frame double the time to it.
        self.session.begin()
        self.run_worker(self.painter.run, name="painter")

    def on_resize(self, event: events.Resize) -> None:
        covered = any(isinstance(screen, TooSmallScreen) for screen in self.screen_stack)
        if too_small(event.size) and not covered:
            self.push_screen(TooSmallScreen(self.session))

    @property
    def _background_screens(self) -> list[Screen[object]]:
        """Screens that show through the one on top: below an opaque one there is none.

        Textual counts the one right below in any case, and draws the whole of the top screen anew whenever something
        changes there: while logs run below it, some 100 kB a second for a terminal behind ssh.
        """
        stack = self._screen_stack
        if stack and stack[-1].styles.background.a == 1:
            return []
        return super()._background_screens  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # open

    # -- unexpected errors

    def _handle_exception(self, error: Exception) -> None:
        if self._on_fault is not None:
            self._on_fault(error.error if isinstance(error, WorkerFailed) else error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual draws a traceback over the terminal, with the values of all variables. Who started the app tells.
        self._close_messages_no_wait()

    def panic(self, *renderables: RenderableType) -> None:  # noqa: ARG002  # as above, for errors that draw themselves
        self._close_messages_no_wait()

    # -- keys and commands

    async def on_event(self, event: events.Event) -> None:
        """Escape and the key after it, pressed within a tenth of a second, arrive as that key with alt.

        A terminal sends the same bytes for both. Nothing is bound to alt here, so that the two are meant.
        """
        if isinstance(event, events.Key) and not event.is_forwarded and _is_hasty(event):
            await super().on_event(events.Key("escape", "\x1b"))
            event = events.Key(event.character or "", event.character)
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        if action == "break":
            return self._breaker is not None and isinstance(self.screen, MainScreen)
        return True

    def action_break(self) -> None:
        """The menu of what can be broken, on a rehearsal cluster."""
        from zktui.ui.screens.breaking import BreakScreen  # noqa: PLC0415  # as below

        if self._breaker is not None:
            self.push_screen(BreakScreen(self._breaker))

    def action_help(self) -> None:
        from zktui.ui.screens.help import HelpScreen  # noqa: PLC0415  # the first paint does not pay for it

        self.push_screen(HelpScreen(keys_of(self.screen.active_bindings.values())))

    async def action_quit(self) -> None:
        """Leave; while a run or a work goes on, ask what is to become of it."""
        if self.works.under_way is not None:
            self._leave_work(self.works.under_way)
            return
        engine = self.session.desk.engine
        if engine is None or engine.run.status.ended:
            self.exit()
            return

        def leave(how: Leaving | None) -> None:
            if how == "abort":
                engine.command(Command(CommandKind.ABORT))
            self.leaves_unattended = how == "unattended"
            if how is not None:
                self.exit()

        if not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(engine.run), leave)

    def _leave_work(self, doing: Doing) -> None:
        from zktui.ui.screens.wizard.confirm import Confirm  # noqa: PLC0415  # as above

        async def finish() -> None:
            await self.works.finish()
            await self.action_quit()

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(finish, name="leave")

        lines = [row("", [Piece(f"{doing.work.title} is under way.", Tone.WAITING)])]
        lines.append(row("", [Piece("What is in flight is awaited; nothing else is begun. Then zktui ends.")]))
        if not isinstance(self.screen, Confirm):
            self.push_screen(Confirm("Stop it and leave?", lines, "stop it and leave", "stay"), answered)

    def _work_ended(self, doing: Doing) -> None:
        if doing.ending is not None and self.is_running:
            severity = "information" if doing.ending.done else "warning"
            self.notify(f"{doing.work.title}: {doing.ending.text}", severity=severity, markup=False)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What works here by key, and what has no key."""
        for key in keys_of(screen.active_bindings.values()):
            if key.enabled and key.show and key.words != "Command":
                yield SystemCommand(key.words, f"key {key.keys}", lambda press=key.press: self.simulate_key(press))
        if isinstance(screen, MainScreen):
            yield from screen.commands()
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save this screen as an SVG", lambda: self.set_timer(0.1, self._shoot))

    def _shoot(self) -> None:
        self.deliver_screenshot()


def _is_hasty(event: events.Key) -> bool:
    """Alt with a letter or a digit, whose key is the character itself."""
    character = event.character or ""
    return event.key.startswith("alt+") and len(character) == 1 and character.isalnum()
