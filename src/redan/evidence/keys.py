"""Signing keys: ECDSA P-256/384/521 (what OpenSSF Model Signing speaks) and Ed25519 (short, for logs and tokens).

Private keys lie in PEM files (PKCS #8, encrypted when a password is given) that only their owner may read; public keys
lie beside them. A key is known by the SHA-256 of its SubjectPublicKeyInfo in DER.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from redan.core.errors import SignatureRefused, Unreadable, UsageError

KeyKind = Literal["p256", "p384", "p521", "ed25519"]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_CURVES: dict[str, type[ec.EllipticCurve]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
# the hash that goes with a curve is as strong as the curve (FIPS 186-5, section 6.1)
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
LARGEST_KEY_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key.

    Attributes:
        public: the key itself.
        key_id: SHA-256 of its SubjectPublicKeyInfo, hexadecimal.
    """

    public: PublicKey
    key_id: str

    def verify(self, data: bytes, signature: bytes) -> None:
        """Accept a signature over data.

        Raises:
            SignatureRefused: the signature was not made by this key over these bytes.
        """
        try:
            if isinstance(self.public, ed25519.Ed25519PublicKey):
                self.public.verify(signature, data)
            else:
                self.public.verify(signature, data, ec.ECDSA(_HASHES[self.public.curve.name]()))
        except InvalidSignature:
            raise SignatureRefused(
                f"the signature was not made by key {self.key_id[:16]}… over these bytes",
                hint="get the right public key from the signer, or what was signed has been changed",
            ) from None

    def pem(self) -> bytes:
        """Return the key as a PEM SubjectPublicKeyInfo."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.public.public_bytes(serialization.Encoding.PEM, form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key with its public half.

    Attributes:
        private: the key itself; never printed.
        verifier: its public half.
    """

    private: PrivateKey
    verifier: Verifier

    @property
    def key_id(self) -> str:
        """SHA-256 of the public key, hexadecimal."""
        return self.verifier.key_id

    def sign(self, data: bytes) -> bytes:
        """Sign data: raw 64 bytes for Ed25519, DER for ECDSA."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        return self.private.sign(data, ec.ECDSA(_HASHES[self.private.curve.name]()))

    def __repr__(self) -> str:
        return f"Signer({self.key_id[:16]}…)"


def verifier_of(public: PublicKey) -> Verifier:
    """Wrap a public key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = public.public_bytes(serialization.Encoding.DER, form)
    return Verifier(public=public, key_id=sha256(der).hexdigest())


def signer_of(private: PrivateKey) -> Signer:
    """Wrap a private key."""
    return Signer(private=private, verifier=verifier_of(private.public_key()))


def generate(kind: KeyKind = "p256") -> Signer:
    """Make a new key pair from the system's random source."""
    if kind == "ed25519":
        return signer_of(ed25519.Ed25519PrivateKey.generate())
    return signer_of(ec.generate_private_key(_CURVES[kind]()))


def save(signer: Signer, path: Path, *, password: bytes | None = None) -> Path:
    """Write the private key, readable by its owner alone, and the public key beside it with the ending ``.pub``.

    Args:
        signer: the pair.
        path: of the private key; an existing file is never replaced.
        password: encrypts the private key; None leaves it plain.

    Returns:
        The path of the public key.

    Raises:
        UsageError: one of the files exists or cannot be written.
    """
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    text = signer.private.private_bytes(serialization.Encoding.PEM, form, encryption)
    public = path.with_name(path.name + ".pub")
    for target, data, mode in ((path, text, 0o600), (public, signer.verifier.pem(), 0o644)):
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as err:
            why = "exists already" if isinstance(err, FileExistsError) else f"cannot be written: {err.strerror}"
            raise UsageError(f"{str(target)!r} {why}", hint="choose another name; keys are never replaced") from err
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    return public


def load_signer(path: Path, *, password: bytes | None = None) -> Signer:
    """Read a private key from PEM.

    Raises:
        Unreadable: missing, no private key, of an unknown kind, or the password does not fit.
    """
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, password)
    except (ValueError, TypeError) as err:
        raise Unreadable(f"{str(path)!r} holds no private key that can be read: {err}", hint="redan key new") from err
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise Unreadable(f"{str(path)!r} holds a {type(key).__name__}; expected ECDSA or Ed25519", hint="redan key new")
    return signer_of(key)


def load_verifier(path: Path) -> Verifier:
    """Read a public key from PEM.

    Raises:
        Unreadable: missing, no public key, or of an unknown kind.
    """
    try:
        key = serialization.load_pem_public_key(_read(path))
    except ValueError as err:
        raise Unreadable(
            f"{str(path)!r} holds no public key in PEM: {err}", hint="give the signer's .pub file"
        ) from err
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise Unreadable(f"{str(path)!r} holds a {type(key).__name__}; expected ECDSA or Ed25519")
    return verifier_of(key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_KEY_BYTES)
    except OSError as err:
        missing = isinstance(err, FileNotFoundError)
        hint = f"redan key new {path.name.removesuffix('.pub')}, or get it from who signs" if missing else ""
        raise Unreadable(f"cannot read the key {str(path)!r}: {err.strerror}", hint=hint) from err
