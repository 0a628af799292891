"""``sh -c "echo WORD | nc HOST PORT | grep …"``, or by printf: how people, and many probes, ask a member by hand.

The rehearsal cluster's shell runs single commands; of pipelines it knows this one alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from zktui.demo import four_letter
from zktui.demo.container import Answer, Container

LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104  # names of the pod itself: nothing is bound
_WITH_VALUE = "wqi"
"""nc's options that are followed by a number."""


def parts(argv: Sequence[str]) -> list[list[str]]:
    """The pipeline's commands, where it is one of echo or printf, nc and grep; else none."""
    if len(argv) < 3 or PurePosixPath(argv[0]).name not in ("sh", "bash") or argv[1] != "-c":
        return []
    lexer = shlex.shlex(argv[2], posix=True, punctuation_chars="|();<>&")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []
    found: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            found.append([])
        else:
            found[-1].append(word)
    programs = [command[0] if command else "" for command in found]
    plain = not any(set(word) & set("();<>&|$`") for command in found if command[:1] != ["grep"] for word in command)
    known = (
        programs[0] in ("echo", "printf")
        and programs[1:2] == ["nc"]
        and all(program == "grep" for program in programs[2:])
    )
    return found if known and plain else []


async def run(container: Container, commands: Sequence[Sequence[str]]) -> Answer:
    """What the last of them prints, and its exit code."""
    said, asked, *filters = commands
    words = list(asked[1:])
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option[-1] in _WITH_VALUE and words:
            words.pop(0)
    if len(words) != 2 or not words[1].isdigit():
        return Answer(err="nc: missing port number\n", code=1)
    host, port = (container.ip if words[0] in LOCAL else words[0]), int(words[1])
    try:
        answer = Answer(await four_letter.ask(host, port, " ".join(word for word in said[1:] if word != "-n")))
    except OSError:
        answer = Answer(code=1)
    for each in filters:
        answer = _grep(answer.out, each[1:])
    return answer


def _grep(text: str, words: Sequence[str]) -> Answer:
    options = "".join(word[1:] for word in words if word.startswith("-"))
    patterns = [word for word in words if not word.startswith("-")]
    if len(patterns) != 1:
        return Answer(err="grep: here it takes one pattern\n", code=2)
    pattern = patterns[0] if "E" in options else re.escape(patterns[0]).replace(r"\^", "^").replace(r"\$", "$")
    flags = re.IGNORECASE if "i" in options else re.NOFLAG
    found = [line for line in text.splitlines() if bool(re.search(pattern, line, flags)) is ("v" not in options)]
    if not found:
        return Answer(code=1)
    return Answer("" if "q" in options else "\n".join(found) + "\n")
