"""The file a model signature travels in: a Sigstore bundle 0.3 with an envelope and what to check it with.

Source: OpenSSF Model Signing specification 1.0, sections 4 and 11; Sigstore protobuf-specs, sigstore_bundle.proto.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.errors import Unreadable
from redan.evidence import dsse
from redan.evidence.keys import Verifier

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LARGEST_BUNDLE_BYTES = 64 << 20
"""About a quarter of a million files."""
# a bundle's bulk is one string; its own values are few, and a file of brackets would take twenty times its size
_MOST_VALUES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A signature file.

    Attributes:
        envelope: what was signed, and the signatures.
        hint: digest that names the public key; empty when the bundle has certificates or is of an old version.
        chain: certificates in DER, the signer's first; empty when the bundle names a key.
    """

    envelope: dsse.Envelope
    hint: str = ""
    chain: tuple[bytes, ...] = ()

    def to_json(self) -> bytes:
        """Return the bundle as one line of JSON."""
        material: dict[str, Any] = {"tlogEntries": []}
        if self.chain:
            certificates = [{"rawBytes": b64encode(der).decode()} for der in self.chain]
            material["x509CertificateChain"] = {"certificates": certificates}
        else:
            material["publicKey"] = {"hint": self.hint}
        document = {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": self.envelope.document(),
        }
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def hint_of(verifier: Verifier) -> str:
    """Return how model-signing names a public key: SHA-256 of its PEM text."""
    return sha256(verifier.pem()).hexdigest()


def load(path: Path) -> Bundle:
    """Read a signature file; nothing in it is trusted yet.

    Raises:
        Unreadable: missing, too large, no bundle of version 0.3, or signed in a way that needs the network.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BUNDLE_BYTES + 1)
    except OSError as err:
        raise Unreadable(
            f"cannot read the signature {str(path)!r}: {err.strerror}", hint="redan sign MODEL --key KEY"
        ) from err
    if len(data) > LARGEST_BUNDLE_BYTES:
        raise Unreadable(f"{str(path)!r} is larger than {LARGEST_BUNDLE_BYTES >> 20} MiB; no signature is")
    return from_json(data, path.name)


def from_json(data: bytes, name: str = "this") -> Bundle:
    """Read a bundle from its JSON; errors as in ``load``."""
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
        raise Unreadable(f"{name} is no Sigstore bundle: it holds more than {_MOST_VALUES:,} values")
    try:
        document = json.loads(data)
        if document["mediaType"] != MEDIA_TYPE:
            raise Unreadable(f"{name} is a {str(document['mediaType'])[:80]!r}; expected {MEDIA_TYPE!r}")
        material = document["verificationMaterial"]
        if "certificate" in material:
            raise Unreadable(
                f"{name} was signed without a lasting key (Sigstore), which takes the network to check",
                hint="model_signing verify sigstore; Redan checks keys and certificates",
            )
        chain: tuple[bytes, ...] = ()
        if "x509CertificateChain" in material:
            certificates = material["x509CertificateChain"]["certificates"]
            chain = tuple(b64decode(c["rawBytes"], validate=True) for c in certificates)
        hint = "" if chain else str(material["publicKey"].get("hint") or "")
        return Bundle(envelope=dsse.from_document(document["dsseEnvelope"]), hint=hint, chain=chain)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error) as err:
        raise Unreadable(f"{name} is no Sigstore bundle: {type(err).__name__} {err}") from err
