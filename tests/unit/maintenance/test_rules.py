"""Every rule of a safe eviction is held by tests that exist, and docs/rules.md says which, and what was seen."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.maintenance.rules import RULES, Rule
from tests.unit.maintenance.tried import TRIED, page

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "rules.md"


@cache
def _tests_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize("one", RULES, ids=lambda one: re.sub(r"\W+", "-", one.text)[:60])
def test_each_rule_is_held_by_tests_that_exist(one: Rule) -> None:
    assert one.tests, "no rule goes without a test"
    for name in one.tests:
        file, _, test = name.partition("::")
        path = TESTS / file.removeprefix("/") if file.startswith("/") else TESTS / "unit" / file
        assert path.exists(), name
        assert not test or test in _tests_in(path), name


def test_no_rule_is_there_twice() -> None:
    texts = [one.text for one in RULES]
    assert len(texts) == len(set(texts))


def test_what_was_tried_is_of_rules_that_exist() -> None:
    assert set(TRIED) <= {one.text for one in RULES}


def test_the_page_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "python -m tests.unit.maintenance.tried >docs/rules.md"
