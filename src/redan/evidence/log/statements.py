"""What a log keeps of a signed statement: enough to recognise it, nothing of what it says."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

from redan.evidence.dsse import Envelope
from redan.evidence.log.writing import Log


def entry_of(envelope: Envelope) -> bytes:
    """Return the entry that stands for an envelope: type and digest of its payload, and its signatures.

    Whoever has the statement can build the very same entry and prove that it was logged; from the entry alone nobody
    learns what the statement says, and its size is bounded however large the statement is.
    """
    record = {
        "kind": "dsse",
        "payloadType": envelope.payload_type,
        "payloadSha256": sha256(envelope.payload).hexdigest(),
        "signatures": [{"keyid": s.key_id, "sig": b64encode(s.signature).decode()} for s in envelope.signatures],
    }
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def record(log: Log, envelope: Envelope) -> int:
    """Record a statement durably and return its index.

    Raises:
        EvidenceError: it could not be recorded.
    """
    return log.append(entry_of(envelope))
