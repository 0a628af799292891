"""The ground that the long widgets stand on: lines painted one by one, backgrounds filled, tones resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from zktui.ui.text import Tone


class LineView(ScrollView, can_focus=True):
    """A ScrollView on the line API. Subclasses set `virtual_size` and override `render_line`.

    `tones(cursor)` maps every Tone to a Rich style over this widget's background (or over the cursor's), resolved
    from the theme once and kept until the theme or the focus changes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--cursor", "line--cursor-blurred"}
    DEFAULT_CSS = """
    LineView {
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        & > .line--cursor { background: $primary 30%; text-style: bold; }
        & > .line--cursor-blurred { background: $primary 12%; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id, classes=classes)
        self._tones: dict[bool, Mapping[Tone, RichStyle]] = {}

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._tones.clear()
        self.styles_changed()

    def styles_changed(self) -> None:
        """The theme or a pseudo class changed: drop whatever was painted and kept."""

    def tones(self, cursor: bool = False) -> Mapping[Tone, RichStyle]:
        if cursor not in self._tones:
            base = self.visual_style
            if cursor:
                base += self.get_visual_style(
                    "line--cursor" if self.has_focus else "line--cursor-blurred", partial=True
                )
            self._tones[cursor] = {tone: _over(base, tone) for tone in Tone}
        return self._tones[cursor]

    def filled(self, segments: list[Segment], cursor: bool = False) -> Strip:
        """A line of exactly this widget's width on its background (the line API fills none by itself)."""
        return Strip(segments).adjust_cell_length(self.scrollable_content_region.width, self.tones(cursor)[Tone.PLAIN])


def _over(base: Style, tone: Tone) -> RichStyle:
    # Style.parse resolves theme variables by the running app.
    return (base + Style.parse(tone.value) if tone.value else base).rich_style
