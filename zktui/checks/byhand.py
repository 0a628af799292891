"""The tutorial's own lines, for an ensemble of another name, size or namespace than the tutorial's."""

from __future__ import annotations

import re

from zktui.core.zookeeper import Ensemble

NAME, SERVICE, SELECTOR, MEMBERS = "zk", "zk-hs", "app=zk", "0 1 2"
"""What the tutorial's manifest has, and its lines take for granted."""
DEFAULT_NAMESPACE = "default"
_POD = re.compile(r"\bzk-(?=\d|\$i|pdb\b|cs\b)")
_WORKLOAD = re.compile(r"(?P<kind>\b(?:sts|statefulset)[ /])zk\b")


def for_ensemble(line: str, ensemble: Ensemble) -> str:
    """The line as it has to be typed for this ensemble; for the tutorial's own it is as it was."""
    sts = ensemble.statefulset
    found = _POD.sub(f"{sts.name}-", line)
    found = _WORKLOAD.sub(rf"\g<kind>{sts.name}", found)
    if sts.service and sts.service != SERVICE:
        found = re.sub(rf"\b{SERVICE}\b", sts.service, found)
    if sts.selector is not None and str(sts.selector) != SELECTOR:
        found = found.replace(f"-l {SELECTOR}", f"-l '{sts.selector}'")
    found = found.replace(f"for i in {MEMBERS};", f"for i in {' '.join(map(str, range(sts.replicas)))};")
    if sts.namespace != DEFAULT_NAMESPACE:
        found = re.sub(r"\bkubectl (?!-n )", f"kubectl -n {sts.namespace} ", found)
    return found
