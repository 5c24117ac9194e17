"""Dead Simple Signing Envelope: bytes of a declared type, and signatures over both.

Source: secure-systems-lab/dsse, protocol.md v1.0.2 (pre-authentication encoding, JSON envelope).
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence.keys import Signer, Verifier

IN_TOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature of an envelope; the key's name is a hint and never trusted."""

    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with its type and signatures."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def document(self) -> dict[str, Any]:
        """Return the envelope as its JSON object."""
        return {
            "payload": b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": s.key_id, "sig": b64encode(s.signature).decode()} for s in self.signatures],
        }

    def to_json(self) -> bytes:
        """Return the envelope as one line of JSON."""
        return json.dumps(self.document(), separators=(",", ":")).encode()


def encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: the pre-authentication encoding of type and payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, signer: Signer, *, payload_type: str = IN_TOTO) -> Envelope:
    """Sign a payload."""
    signature = signer.sign(encoding(payload_type, payload))
    return Envelope(
        payload_type=payload_type,
        payload=payload,
        signatures=(Signature(key_id=signer.key_id, signature=signature),),
    )


def opened(envelope: Envelope, verifiers: Sequence[Verifier], *, payload_type: str = IN_TOTO) -> Verifier:
    """Return the first of the given keys that signed the envelope.

    Raises:
        SignatureRefused: another type than expected, or none of the keys signed it.
    """
    if envelope.payload_type != payload_type:
        raise SignatureRefused(f"the envelope holds {envelope.payload_type!r}; expected {payload_type!r}")
    data = encoding(envelope.payload_type, envelope.payload)
    for verifier in verifiers:
        for signature in envelope.signatures:
            try:
                verifier.verify(data, signature.signature)
            except SignatureRefused:
                continue
            return verifier
    known = ", ".join(f"{v.key_id[:16]}…" for v in verifiers) or "none"
    raise SignatureRefused(
        f"none of the expected keys ({known}) signed this, or it was changed after signing",
        hint="get the right public key from the signer",
    )


def from_json(data: bytes | str) -> Envelope:
    """Read an envelope.

    Raises:
        Unreadable: not JSON, or not an envelope.
    """
    try:
        return from_document(json.loads(data))
    except (ValueError, RecursionError) as err:
        raise Unreadable(f"this is no DSSE envelope: {err}") from err


def from_document(document: Any) -> Envelope:
    """Read an envelope from its JSON object.

    Raises:
        Unreadable: a field is missing or of another kind.
    """
    try:
        signatures = tuple(
            Signature(key_id=str(s.get("keyid", "")), signature=b64decode(s["sig"], validate=True))
            for s in document["signatures"]
        )
        return Envelope(
            payload_type=str(document["payloadType"]),
            payload=b64decode(document["payload"], validate=True),
            signatures=signatures,
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as err:
        raise Unreadable(f"this is no DSSE envelope: {type(err).__name__} {err}") from err
