"""The exception tree: every error that a person may see, with its exit code.

An error's text says what happened, what was not changed, and what to do next.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BLOCKED = 3
"""Blocked, unsafe or unknown."""
EXIT_FORBIDDEN = 4
EXIT_INTERRUPTED = 130


class ZktuiError(Exception):
    """What happened, in one sentence; `hint` is what to do next."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(ZktuiError):
    """Flags or configuration that can't be followed: no kubeconfig, an unknown context, a contradiction."""

    exit_code = EXIT_USAGE


class ConnectionFailed(ZktuiError):
    """The API server can't be reached, or does not speak as one."""

    exit_code = EXIT_FAILED


class CredentialsRefused(ZktuiError):
    """401: the credentials are missing, wrong or expired."""

    exit_code = EXIT_FORBIDDEN


class NotPermitted(ZktuiError):
    """403: the user may not do this; the message names verb and resource."""

    exit_code = EXIT_FORBIDDEN


class NoEnsemble(ZktuiError):
    """Nothing that runs ZooKeeper was found where zktui looked."""

    exit_code = EXIT_BLOCKED


class Blocked(ZktuiError):
    """A gate is closed, the situation unsafe, or not known."""

    exit_code = EXIT_BLOCKED
