"""Signed notes, checkpoints and cosignatures: how a log says which tree it stands for.

Sources: C2SP signed-note (text, key names and key hashes), tlog-checkpoint (origin, size, root), tlog-cosignature (what
a witness signs, with its time). Signatures are Ed25519, the one kind that every reader of such notes knows.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.keys import Signer, Verifier, verifier_of

LARGEST_NOTE_BYTES = 64 << 10
MOST_SIGNATURES = 64
KIND_LOG: Final = 0x01
KIND_WITNESS: Final = 0x04
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key under the name that stands in notes.

    Attributes:
        name: the log's origin or the witness's name.
        verifier: the key.
        kind: 1 signs the text itself, 4 signs text and time (a witness).
    """

    name: str
    verifier: Verifier
    kind: Literal[1, 4] = KIND_LOG

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the public key."""
        assert isinstance(self.verifier.public, Ed25519PublicKey)
        return self.verifier.public.public_bytes_raw()

    @property
    def hash(self) -> bytes:
        """The four bytes that stand in front of a signature of this key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def text(self) -> str:
        """Return the key in the form that readers of notes are configured with (a "vkey")."""
        return f"{self.name}+{self.hash.hex()}+{b64encode(bytes([self.kind]) + self.raw).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    hash: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line, with its end."""
        return f"{_DASH}{self.name} {b64encode(self.hash + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The signed head of a log's tree.

    Attributes:
        origin: the log's name.
        size: entries in the tree.
        root: hash over all of them.
        signatures: of the log and of witnesses; nothing is believed before `signed_by` or `cosigned_by` checked it.
        extensions: further lines of the signed text, kept as they came.
    """

    origin: str
    size: int
    root: bytes
    signatures: tuple[NoteSignature, ...] = ()
    extensions: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Return the whole note."""
        return self.body + "\n" + "".join(s.line() for s in self.signatures)

    def with_signatures(self, signatures: Sequence[NoteSignature]) -> Checkpoint:
        """Return the note with further signatures, each once."""
        return replace(self, signatures=tuple(dict.fromkeys((*self.signatures, *signatures))))


def key_of(name: str, verifier: Verifier, kind: Literal[1, 4] = KIND_LOG) -> NoteKey:
    """Give a public key its name in notes.

    Raises:
        UsageError: the key is not Ed25519, or the name cannot stand in a note.
    """
    if not isinstance(verifier.public, Ed25519PublicKey):
        raise UsageError(
            "transparency logs and witnesses sign with Ed25519; this key is of another kind",
            hint="redan key new PATH --kind ed25519",
        )
    if not _name_fits(name):
        raise UsageError(
            f"{name!r} cannot be the name of a log or witness: no spaces, plus signs or control characters",
            hint="use a name such as example.com/models",
        )
    return NoteKey(name=name, verifier=verifier, kind=kind)


def _name_fits(name: str) -> bool:
    return (
        bool(name) and len(name) <= 255 and "+" not in name and name.isprintable() and not any(map(str.isspace, name))
    )


def parse_key(text: str) -> NoteKey:
    """Read a key from its text form (a "vkey").

    Raises:
        Unreadable: not of this form, another kind of key, or its hash does not fit.
    """
    try:
        name, digest, material = text.strip().split("+", 2)
        data = b64decode(material, validate=True)
        if len(data) != 33 or data[0] not in {KIND_LOG, KIND_WITNESS}:
            raise ValueError("the key is neither Ed25519 nor an Ed25519 witness key")
        kind: Literal[1, 4] = KIND_LOG if data[0] == KIND_LOG else KIND_WITNESS
        key = key_of(name, verifier_of(Ed25519PublicKey.from_public_bytes(data[1:])), kind)
        if key.hash.hex() != digest:
            raise ValueError(f"the key's hash is {key.hash.hex()}, not {digest[:16]}")
    except (ValueError, UsageError) as err:
        raise Unreadable(f"{text[:80]!r} is no key of a log: {err}", hint="expected NAME+HASH+BASE64") from err
    return key


def parse(text: bytes) -> Checkpoint:
    """Read a checkpoint; its signatures are not checked yet.

    Raises:
        Unreadable: not a checkpoint.
    """
    try:
        return _parsed(text)
    except (ValueError, binascii.Error) as err:
        raise Unreadable(f"this is no checkpoint of a log: {err}") from err


def _parsed(data: bytes) -> Checkpoint:
    if len(data) > LARGEST_NOTE_BYTES:
        raise ValueError(f"{len(data)} bytes; expected at most {LARGEST_NOTE_BYTES}")
    text = data.decode()
    if any(c < " " and c != "\n" for c in text):
        raise ValueError("control characters")
    body, blank, tail = text.rpartition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) < 3 or not all(lines):
        raise ValueError("expected origin, size, root, an empty line and signatures")
    origin, size, digest, *extensions = lines
    root = strict_base64(digest)
    if not _NUMBER.fullmatch(size) or len(root) != 32:
        raise ValueError("size or root is malformed")
    return Checkpoint(
        origin=origin,
        size=int(size),
        root=root,
        signatures=tuple(parse_signatures(tail)),
        extensions=tuple(extensions),
    )


def strict_base64(text: str) -> bytes:
    """Decode base64 in the one form that encoding gives.

    Raises:
        ValueError: another form, so that two texts would mean the same.
    """
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:
        raise ValueError("base64 with stray bits")
    return data


def parse_signatures(text: str) -> list[NoteSignature]:
    """Read signature lines.

    Raises:
        ValueError: a line is of another form, or there are too many.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) > MOST_SIGNATURES:
        raise ValueError(f"expected at most {MOST_SIGNATURES} signature lines, each with its end")
    found = []
    for line in lines:
        name, _, blob = line.removeprefix(_DASH).partition(" ")
        data = strict_base64(blob)
        if not line.startswith(_DASH) or not _name_fits(name) or len(data) <= 4:
            raise ValueError("a signature line is malformed")
        found.append(NoteSignature(name=name, hash=data[:4], signature=data[4:]))
    return found


def sign(checkpoint: Checkpoint, signer: Signer) -> Checkpoint:
    """Return the checkpoint with the log's signature, under its origin as the key's name."""
    key = key_of(checkpoint.origin, signer.verifier)
    signature = NoteSignature(name=key.name, hash=key.hash, signature=signer.sign(checkpoint.body.encode()))
    return checkpoint.with_signatures([signature])


def cosign(checkpoint: Checkpoint, name: str, signer: Signer, at_s: int) -> NoteSignature:
    """Return a witness's signature over the checkpoint and the time, in seconds since 1970."""
    key = key_of(name, signer.verifier, KIND_WITNESS)
    signature = at_s.to_bytes(8, "big") + signer.sign(_cosigned(checkpoint, at_s))
    return NoteSignature(name=key.name, hash=key.hash, signature=signature)


def _cosigned(checkpoint: Checkpoint, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{checkpoint.body}".encode()


def signed_by(checkpoint: Checkpoint, key: NoteKey) -> None:
    """Accept a checkpoint that the log's key signed.

    Raises:
        SignatureRefused: of another log, not signed by the key, or changed afterwards.
    """
    if checkpoint.origin != key.name:
        raise SignatureRefused(f"the checkpoint is of the log {checkpoint.origin!r}; expected {key.name!r}")
    for signature in _of(checkpoint, key):
        key.verifier.verify(checkpoint.body.encode(), signature.signature)


def cosigned_by(checkpoint: Checkpoint, key: NoteKey) -> int:
    """Accept a checkpoint that a witness's key signed, and return when, in seconds since 1970.

    Raises:
        SignatureRefused: not signed by the key, or changed afterwards.
    """
    at_s = 0
    for signature in _of(checkpoint, key):
        at_s = int.from_bytes(signature.signature[:8], "big")
        key.verifier.verify(_cosigned(checkpoint, at_s), signature.signature[8:])
    return at_s


def _of(checkpoint: Checkpoint, key: NoteKey) -> list[NoteSignature]:
    found = [s for s in checkpoint.signatures if s.name == key.name and s.hash == key.hash]
    if not found:
        raise SignatureRefused(
            f"key {key.name}+{key.hash.hex()} did not sign this checkpoint",
            hint="get the right public key from the log's operator",
        )
    return found
