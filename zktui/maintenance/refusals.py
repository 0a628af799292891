"""Why a run can't begin, as errors. Each message is one sentence for people; nothing was changed."""

from __future__ import annotations


class CannotBegin(Exception):
    """The run was not begun. `hint` is what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ReadOnlyError(CannotBegin):
    """The program was started with --read-only, or the plan's review says stop."""


class PlanStopped(ReadOnlyError):
    """The review says stop; the findings say why."""


class Unacknowledged(CannotBegin):
    """A finding asks to be accepted by its code before a run may begin, and was not."""


class NoNodes(CannotBegin):
    """No node was found by the labels or the ensemble that were named, or they could not be read."""


class RunUnderWay(CannotBegin):
    """One run at a time."""


class NotFree(CannotBegin):
    """Somebody may still be at this run: `wait` seconds until it is free, None when that can't be told."""

    def __init__(self, message: str, hint: str = "", wait: float | None = None) -> None:
        super().__init__(message, hint)
        self.wait = wait


class WordMissing(CannotBegin):
    """Taking over another's run takes its id, typed."""
