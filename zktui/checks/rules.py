"""All rules, in the order of the chapters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from zktui.checks.byhand import for_ensemble
from zktui.checks.configuration import configuration
from zktui.checks.deployed import deployed
from zktui.checks.discovery import discovery
from zktui.checks.identity import identity
from zktui.checks.inventory import Inventory
from zktui.checks.logging import logging
from zktui.checks.maintenance import maintenance
from zktui.checks.model import Chapter, Check, Report, Rule
from zktui.checks.nodes import nodes
from zktui.checks.process import process
from zktui.checks.process_failure import process_failure
from zktui.checks.sanity import not_played, sanity
from zktui.checks.storage import storage

RULES: tuple[Rule, ...] = (
    deployed,
    identity,
    discovery,
    sanity,
    storage,
    configuration,
    logging,
    process,
    process_failure,
    nodes,
    maintenance,
)


def judge(inventory: Inventory, chapters: Collection[Chapter] = ()) -> Report:
    """Every check of these chapters (of all when none is named), in their order. Pure."""
    found: list[Check] = [check for rule in RULES for check in rule(inventory)]
    found.sort(key=lambda check: check.chapter)
    named = (check for check in found if not chapters or check.chapter in chapters)
    wanted = tuple(replace(check, by_hand=for_ensemble(check.by_hand, inventory.ensemble)) for check in named)
    skipped = tuple(item for item in not_played(inventory) if not chapters or item.chapter in chapters)
    return Report(inventory.ensemble.namespace, inventory.ensemble.name, wanted, skipped)
