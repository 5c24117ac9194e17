"""What becomes known when versions change: records for the audit log, findings for whoever acts on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from redan.core.errors import RedanError
from redan.core.finding import Finding, Severity
from redan.service.audit.act import Act
from redan.threats.operation.rules.unadmitted import RULE

if TYPE_CHECKING:
    from redan.service.models.standing import Decided
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


async def turned(
    note: Callable[[Act], Awaitable[None]],
    action: str,
    version: Version,
    *,
    why: str,
    before: str,
    decide: Callable[[], Decided],
) -> Decided:
    """Record a turn, then take it; one that is not taken after all is recorded as that too.

    Args:
        note: records an act.
        action: name of the action.
        version: that becomes live.
        why: stable word for what is done.
        before: version that is live now.
        decide: takes the turn; blocks.

    Raises:
        RedanError: it was not recorded, or not taken.
    """
    await note(act(action, version, why=why, more={"before": before}))
    try:
        return await asyncio.to_thread(decide)
    except RedanError as err:
        await note(act(action, version, why="not-done", ok=False, more={"because": err.message}))
        raise


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
