"""The app, with a type: Textual's own property leaves its return type unknown, which strict checking refuses."""

from __future__ import annotations

from typing import cast

from textual.app import App
from textual.message_pump import MessagePump


def app_of(node: MessagePump) -> App[object]:
    return cast("App[object]", node.app)  # pyright: ignore[reportUnknownMemberType]  # see above
