"""What was stated about a version: the bundle that was pushed with it, and what came later."""

from __future__ import annotations

import time

from redan.core.errors import EvidenceError, UsageError
from redan.evidence.statements.bundle import Bundle, parsed
from redan.evidence.store import statements
from redan.evidence.store.blobs import StoreBlobs
from redan.service.audit.act import Act
from redan.service.registry.history import Version
from redan.service.registry.opening import Registry
from redan.service.registry.pushing import Person
from redan.service.registry.transition import PREDICATE_TYPE

MOST_STATEMENTS = 1000
"""About one version, transitions among them."""


def known(registry: Registry, version: Version) -> Bundle:
    """Return what was stated about a version: the bundle that was pushed, and what was added to the registry since.

    Raises:
        EvidenceError: a statement is missing or was changed, or there are too many.
        Unreadable: the bundle is none.
    """
    push = version.push.transition
    data = StoreBlobs(registry.store).get(push.statements) if push.statements else b""
    pushed = parsed(data, f"{push.name}@{push.version}")
    digest = next(iter(version.push.model.digest.values()))
    rows = statements.search(registry.store, digest=digest, limit=MOST_STATEMENTS + 1)
    if len(rows) > MOST_STATEMENTS:
        # the oldest could be a revocation
        raise EvidenceError(
            f"the registry holds more than {MOST_STATEMENTS} statements about {push.name}@{push.version}",
            hint="push it again as a new version, with those statements that count",
        )
    later = [
        statements.envelope(registry.store, row.id) for row in reversed(rows) if row.predicate_type != PREDICATE_TYPE
    ]
    return Bundle(envelopes=(*pushed.envelopes, *later), ignored=pushed.ignored)


def attach(registry: Registry, bundle: Bundle, *, by: Person) -> int:
    """Keep statements made after a version was pushed, such as an approval or a revocation; return how many are new.

    Args:
        registry: where.
        bundle: the statements.
        by: who attaches them.

    Raises:
        UsageError: one is a transition, which the registry alone makes, or too many are there already.
        Unreadable: one is no statement.
        EvidenceError: the store cannot be written.
    """
    given = [envelope.to_json() for envelope in bundle.envelopes]
    for data in given:
        _insist(registry, data, len(given))
    added = [statements.add(registry.store, data) for data in given]
    registry.record(
        Act(
            t_us=time.time_ns() // 1000,
            who=by.who,
            act="registry.attach",
            why=by.why,
            more={"statements": [each.id for each in added]},
        )
    )
    return sum(each.new for each in added)


def _insist(registry: Registry, data: bytes, n_given: int) -> None:
    """Refuse what would keep the registry, or a version in it, from being read."""
    predicate_type, subjects, _ = statements.described(data)
    if predicate_type == PREDICATE_TYPE:
        raise UsageError("transitions are made by the registry itself", hint="redan registry promote NAME@VERSION")
    for digest in {subject["digest"] for subject in subjects}:
        if len(statements.search(registry.store, digest=digest, limit=MOST_STATEMENTS)) + n_given > MOST_STATEMENTS:
            raise UsageError(
                f"there would be more than {MOST_STATEMENTS} statements about {digest[:16]}…",
                hint="push the model again as a new version, with those statements that count",
            )
