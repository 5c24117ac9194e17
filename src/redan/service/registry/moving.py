"""Making a version answer, going back, retiring: each a signed transition, and none without the proof it needs."""

from __future__ import annotations

from datetime import UTC, datetime

from redan.core.errors import UsageError
from redan.evidence.statements.admission import ModelSignature, admission
from redan.evidence.statements.decision import Decision
from redan.evidence.statements.policy import AdmissionPolicy
from redan.service.models.admitting import insist, why_not
from redan.service.registry.history import History, Version
from redan.service.registry.opening import Registry
from redan.service.registry.pushing import Person, now, recorded
from redan.service.registry.stated import known
from redan.service.registry.transition import Act, Transition


def judged(registry: Registry, version: Version, policy: AdmissionPolicy) -> Decision:
    """Decide about a version by what was stated about it until now.

    Raises:
        EvidenceError: its statements are missing or were changed.
        Unreadable: its statements are none.
    """
    bundle = known(registry, version)
    signature = ModelSignature(state="absent", why="the registry keeps statements and no signature of the model itself")
    return admission(
        version.push.model,
        bundle.envelopes,
        policy,
        at=datetime.now(UTC),
        signature=signature,
        notes=bundle.ignored,
    )


def move(
    registry: Registry, name: str, version: str, act: Act, *, by: Person, policy: AdmissionPolicy | None
) -> History:
    """Make a version a canary or live.

    Args:
        registry: where.
        name: of the model.
        version: which; ``latest`` stands for the newest.
        act: ``canary`` or ``promote``.
        by: who and why.
        policy: what its statements must prove now; None where nothing is asked.

    Raises:
        NotAdmitted: its statements do not meet the policy.
        UsageError: it is not possible now.
    """
    with registry.exclusive():
        found = registry.history(name)
        chosen = found.version(version)
        if policy is not None:
            decision = judged(registry, chosen, policy)
            if decision.verdict not in ("admitted", "verified"):
                insist(f"{name}@{chosen.name}", why_not(decision))
        made = _append(registry, found, chosen, act, by)
    recorded(registry, made)
    return made


def roll_back(registry: Registry, name: str, *, by: Person) -> History:
    """Make the version live that was live before; its statements were judged when it was promoted.

    Raises:
        UsageError: there is none to go back to.
    """
    with registry.exclusive():
        found = registry.history(name)
        if not found.before:
            raise UsageError(f"{name!r} has no version to go back to", hint="redan registry promote NAME@VERSION")
        made = _append(registry, found, found.version(found.before[-1]), "rollback", by)
    recorded(registry, made)
    return made


def retire(registry: Registry, name: str, version: str, *, by: Person) -> History:
    """Say that a version is no longer kept; `redan.service.registry.retention` then removes its bytes.

    Raises:
        UsageError: it is live or a canary.
    """
    with registry.exclusive():
        found = registry.history(name)
        made = _append(registry, found, found.version(version), "retire", by)
    recorded(registry, made)
    return made


def _append(registry: Registry, found: History, version: Version, act: Act, by: Person) -> History:
    transition = Transition(
        name=found.name,
        version=version.name,
        act=act,
        at=now(),
        who=by.who,
        why=by.why,
        previous=found.head,
    )
    return registry.append(transition, version.push.model)
