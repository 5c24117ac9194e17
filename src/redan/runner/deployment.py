"""Test a running server with harmless requests and report like a scan."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.runner.opening import released
from redan.runner.plan import SCANNING, Choice, plan
from redan.runner.run import Session, run
from redan.subjects.deployment import DeploymentSubject

if TYPE_CHECKING:
    from redan.core.report import Report


def scan_deployment(
    url: str,
    *,
    credential: str = "",
    canary: Path | None = None,
    allow_remote: bool = False,
    observe: Observer = SILENT,
    policy: Policy | None = None,
) -> Report:
    """Make the checks of the probe ``deployment``.

    Args:
        url: ``http://HOST:PORT``; a path in it is the endpoint that predicts.
        credential: value of the Authorization header, or empty.
        canary: a file that the operator made to be looked for, or None.
        allow_remote: ask servers on other machines too.
        observe: told about progress.
        policy: what decides; gate ``high`` by default.

    Raises:
        UsageError: no such address, or another machine without ``allow_remote``.
        Unreadable: the name cannot be resolved.
    """
    subject = DeploymentSubject(url, credential=credential, canary=canary, allow_remote=allow_remote)
    with released(subject):
        steps = plan([subject], Inputs(), Choice(threats=(SCANNING,), probes=("deployment",)))
        session = Session(
            policy=policy or Policy(today=datetime.now(UTC).date()),
            observe=observe,
            command=f"redan scan --deployment {subject.ref.binding.uri}",
        )
        return run(steps, Inputs(), subject.ref, session, asked={"deployment": subject.ref.binding.uri})
