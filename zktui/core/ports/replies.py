"""What became of a request: it was answered, the server said no, or nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


# No slots: Python 3.11 sets an attribute on what is made by way of a subscript, such as Answer[Node](…).
@dataclass(frozen=True)
class Answer(Generic[T_co]):
    """The server did it or told it. `at` is monotonic, taken before the request was sent."""

    value: T_co
    at: float
    code: int = 200
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status's details.causes."""

    reason: str
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with a Status that is not success; nothing was changed by this request.

    (One exception: an eviction refused by its UID precondition has still spent the budget, see docs/maintenance.md.)
    """

    code: int
    reason: str
    message: str
    at: float
    causes: tuple[Cause, ...] = ()
    retry_after: float | None = None
    """Seconds, from the Retry-After header or details.retryAfterSeconds."""

    def caused_by(self, reason: str) -> bool:
        return any(cause.reason == reason for cause in self.causes)

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def forbidden(self) -> bool:
        return self.code == 403


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer: the request may or may not have been carried out (`sent`), or never left (`sent` False)."""

    why: str
    at: float
    sent: bool = True


Reply = Answer[T_co] | Refused | Unanswered
