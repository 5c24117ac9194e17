"""Key-encryption keys: what wraps the data key of each blob, and is never stored beside what it protects."""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.evidence.encryption.stream import KEY_BYTES

_NONCE_BYTES = 12


class KeyEncryptionKey(Protocol):
    """Wraps data keys; may live in this process or in a service."""

    @property
    def key_id(self) -> str:
        """Name of the key, stored beside everything it wrapped; says nothing about the key."""

    def wrap(self, data_key: bytes, context: str) -> str:
        """Return the data key encrypted, as text; unwrapping needs the same context."""

    def unwrap(self, wrapped: str, context: str) -> bytes:
        """Return the data key.

        Raises:
            SignatureRefused: wrapped by another key or for another context, or changed since.
        """

    def knows(self, key_id: str) -> bool:
        """Tell whether it can unwrap what was wrapped under that name."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocalKey:
    """A key of 32 bytes held in this process.

    Wrapping is AES-256-GCM with a random nonce of 96 bits; NIST SP 800-38D, section 8.3, allows 2³² of them under one
    key. Name and wrapping key are derived from the secret by HKDF (RFC 5869), so neither tells about the other.
    """

    secret: bytes

    @property
    def key_id(self) -> str:
        """32 hexadecimal digits derived from the key."""
        return self._derived(b"redan/1 key name")[:16].hex()

    def wrap(self, data_key: bytes, context: str) -> str:
        """Return nonce and encrypted key in base64."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b64encode(nonce + self._cipher().encrypt(nonce, data_key, context.encode())).decode()

    def unwrap(self, wrapped: str, context: str) -> bytes:
        """Return the data key.

        Raises:
            SignatureRefused: wrapped by another key or for another context, or changed since.
        """
        try:
            data = b64decode(wrapped, validate=True)
            return self._cipher().decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise SignatureRefused(f"a wrapped data key was changed, or is not of key {self.key_id}") from None

    def knows(self, key_id: str) -> bool:
        """Tell whether the name is this key's."""
        return key_id == self.key_id

    def _cipher(self) -> AESGCM:
        return AESGCM(self._derived(b"redan/1 wrapping"))

    def _derived(self, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(self.secret)


def local_key(text: str, where: str) -> LocalKey:
    """Read a key from its text: 32 bytes in base64.

    Raises:
        Unreadable: the text is something else.
    """
    try:
        secret = b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise Unreadable(
            f"{where} holds no key; expected 32 bytes in base64",
            hint="make one with: redan store init --key file:PATH, or: openssl rand -base64 32",
        )
    return LocalKey(secret)


def new_key_text() -> str:
    """Return a fresh key as text."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def holder(keys: Sequence[KeyEncryptionKey], key_id: str) -> KeyEncryptionKey:
    """Return the key that can unwrap what was wrapped under a name.

    Raises:
        EvidenceError: none of the keys can.
    """
    for key in keys:
        if key.knows(key_id):
            return key
    given = ", ".join(key.key_id for key in keys) or "none"
    raise EvidenceError(
        f"this is encrypted under key {key_id}, and the keys at hand are: {given}",
        hint="name its source in [store] keys",
    )
