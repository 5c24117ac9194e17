"""What was stated about a version: the bundle that was pushed with it, and what came later."""

from __future__ import annotations

from redan.evidence.statements.bundle import Bundle, parsed
from redan.evidence.store import statements
from redan.evidence.store.blobs import StoreBlobs
from redan.service.registry.history import Version
from redan.service.registry.opening import Registry
from redan.service.registry.transition import PREDICATE_TYPE

MOST_STATEMENTS = 1000


def known(registry: Registry, version: Version) -> Bundle:
    """Return what was stated about a version: the bundle that was pushed, and what was added to the registry since.

    Raises:
        EvidenceError: a statement is missing or was changed.
        Unreadable: the bundle is none.
    """
    push = version.push.transition
    data = StoreBlobs(registry.store).get(push.statements) if push.statements else b""
    pushed = parsed(data, f"{push.name}@{push.version}")
    digest = next(iter(version.push.model.digest.values()))
    rows = statements.search(registry.store, digest=digest, limit=MOST_STATEMENTS)
    later = [
        statements.envelope(registry.store, row.id) for row in reversed(rows) if row.predicate_type != PREDICATE_TYPE
    ]
    return Bundle(envelopes=(*pushed.envelopes, *later), ignored=pushed.ignored)


def attach(registry: Registry, bundle: Bundle) -> int:
    """Keep statements made after a version was pushed, such as an approval or a revocation; return how many are new.

    Raises:
        Unreadable: one is no statement.
        EvidenceError: the store cannot be written.
    """
    return sum(statements.add(registry.store, envelope.to_json()).new for envelope in bundle.envelopes)
