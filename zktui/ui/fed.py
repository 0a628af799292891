"""What is fed from outside stops being fed before it is taken down."""

from __future__ import annotations

from collections.abc import Callable

from textual.dom import DOMNode


class Fed:
    """Mixed into a widget or screen that something else than its own message loop paints into.

    That is a worker, a stream, or the painter. Textual takes a widget down in this order: a Prune message; the end of
    its message loop; the same for each of its children, which leave the DOM; Unmount, and only with that the cancelling
    of its workers. Whatever still painted in between would find a widget without children, and its error would end the
    whole program. So all of it ends here with Prune. Its own handlers and timers need no such care: they end with the
    message loop.
    """

    leaving = False
    """It is being taken down. Only what `call_after_refresh` calls needs to ask: Textual hands that to the screen that
    is on top by then, whose message loop goes on."""
    _ends: tuple[Callable[[], object], ...] = ()

    def until_removed(self, end: Callable[[], object]) -> None:
        """Call `end` when the widget begins to be taken down, while it still has its children."""
        self._ends = (*self._ends, end)

    # Textual calls the handlers of every base class; Widget has one under the public name.
    def _on_prune(self) -> None:
        assert isinstance(self, DOMNode)
        self.leaving = True
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  # Worker's result is left open
        ends, self._ends = self._ends, ()
        for end in ends:
            end()
