"""What becomes known when versions change: records for the audit log, findings for whoever acts on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from redan.core.finding import Finding, Severity
from redan.service.audit.act import Act
from redan.threats.operation.rules.unadmitted import RULE

if TYPE_CHECKING:
    from redan.service.models.versions import Version

WHO = "service:models"
"""The pool itself; who asked it stands in the record of the request."""


def act(action: str, version: Version, *, why: str, ok: bool = True, more: dict[str, object] | None = None) -> Act:
    """Describe a transition for the audit log.

    Args:
        action: name of the action.
        version: of what.
        why: stable word for what was done, or why not.
        ok: whether it was done.
        more: further facts.
    """
    return Act(
        t_us=time.time_ns() // 1000,
        who=WHO,
        act=action,
        model=version.label,
        digest=version.digest,
        ok=ok,
        why=why,
        more=more or None,
    )


def finding(version: Version) -> Finding:
    """Describe that a version left service, or that what lies at its target is refused while it still answers."""
    left = bool(version.why)
    said = (
        "left service: it is not admitted any more" if left else "is not replaced: what lies at its target is refused"
    )
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=version.label,
        title=f"{version.label} {said}",
        severity=RULE.severity if left else Severity.MEDIUM,
        detail=version.why or version.newer,
        params={"digest": version.digest},
        remedies=(RULE.remedy,),
    )
