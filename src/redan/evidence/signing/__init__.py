"""Model signatures after OpenSSF Model Signing 1.0, with keys and certificates, without a network.

sign(Path("model"), load_signer(Path("signing.key")))
verify(Path("model"), keys=[load_verifier(Path("signing.key.pub"))])
"""

from __future__ import annotations

from redan.evidence.signing.differences import Difference
from redan.evidence.signing.manifest import SHARD_BYTES, Manifest, manifest_of, measure
from redan.evidence.signing.signature import seal, sign, signature_path
from redan.evidence.signing.verification import Verified, verify

__all__ = [
    "SHARD_BYTES",
    "Difference",
    "Manifest",
    "Verified",
    "manifest_of",
    "measure",
    "seal",
    "sign",
    "signature_path",
    "verify",
]
