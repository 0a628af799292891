"""Colours by meaning. A tone is never the only sign: a word or a mark says the same beside it."""

from __future__ import annotations

import enum

from textual.theme import Theme


class Tone(enum.StrEnum):
    """What a piece of text means; its value is the style that paints it, in Textual's style language."""

    PLAIN = ""
    STRONG = "bold"
    DIM = "$foreground 62%"
    """Of lesser weight: headings, units, what has not changed."""
    SAFE = "$text-success"
    WAITING = "$text-warning"
    BLOCKED = "bold $text-error"
    STALE = "italic $foreground 62%"
    """Known once, not known to hold now."""
    LEADER = "bold $text-accent"
    KEY = "bold $text-primary"
    """A key to press."""


DARK = Theme(
    name="zktui-dark",
    primary="#6CA8FF",
    secondary="#3F5F8F",
    accent="#E0A8FF",
    warning="#F2B134",
    error="#FF5F5F",
    success="#3FCF6F",
    foreground="#D8DCE4",
    background="#10141B",
    surface="#161B24",
    panel="#1D2430",
    dark=True,
    variables={
        "text-success": "#4FD97F",
        "text-warning": "#F5BE4F",
        "text-error": "#FF6F6F",
        "text-accent": "#D88CFF",
        "text-primary": "#5FAAFF",
        "footer-key-foreground": "#5FAAFF",
        "footer-background": "#161B24",
        "border": "#3A4658",
        "border-blurred": "#2A3342",
        "scrollbar": "#3A4658",
        "scrollbar-hover": "#4A5A72",
        "scrollbar-active": "#5FAAFF",
        "scrollbar-background": "#161B24",
        "scrollbar-background-hover": "#161B24",
        "scrollbar-background-active": "#161B24",
    },
)

LIGHT = Theme(
    name="zktui-light",
    primary="#1F5FBF",
    secondary="#6B87B5",
    accent="#7A2FA8",
    warning="#B86E00",
    error="#C62828",
    success="#1B7F3B",
    foreground="#1E2430",
    background="#FBFBF8",
    surface="#F2F2EC",
    panel="#E6E6DE",
    dark=False,
    variables={
        "text-success": "#0F7A33",
        "text-warning": "#8A5200",
        "text-error": "#B71C1C",
        "text-accent": "#6A2395",
        "text-primary": "#1040B0",
        "footer-key-foreground": "#1040B0",
        "footer-background": "#F2F2EC",
        "border": "#A9ADB6",
        "border-blurred": "#CFD1D4",
        "scrollbar": "#B4B9C4",
        "scrollbar-hover": "#959CAA",
        "scrollbar-active": "#1040B0",
        "scrollbar-background": "#F2F2EC",
        "scrollbar-background-hover": "#F2F2EC",
        "scrollbar-background-active": "#F2F2EC",
    },
)

# The text colours are chosen so that a 16-colour terminal, too, shows them as green, yellow, red, magenta and blue.
THEMES = (DARK, LIGHT)
