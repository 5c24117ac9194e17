"""Bytes of any length under AES-256-GCM, in chunks that cannot be cut off, swapped, repeated or exchanged.

Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"
(CRYPTO 2015), section 7: the STREAM construction. The nonce of a chunk is a random prefix of 7 bytes, the chunk's
number in 4 bytes and one byte that is 1 for the last chunk only. AES-GCM as in NIST SP 800-38D.

Form: 8 bytes that name the form, the 7 bytes of the prefix, then each chunk with its tag of 16 bytes. Only the last
chunk is shorter than ``chunk_bytes``, and only an empty text has an empty chunk. Header and context are authenticated
with every chunk.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from redan.core.errors import EvidenceError, SignatureRefused

MAGIC = b"RDNSTRM1"
CHUNK_BYTES = 1 << 20
KEY_BYTES = 32
TAG_BYTES = 16
_PREFIX_BYTES = 7
_MOST_CHUNKS = 1 << 32


def new_key() -> bytes:
    """Return a fresh data key of 32 bytes from the system's random source."""
    return secrets.token_bytes(KEY_BYTES)


def sealed(
    pieces: Iterable[bytes], key: bytes, *, context: bytes = b"", chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Encrypt pieces of any lengths; holds two chunks at a time.

    Args:
        pieces: the plain text in order.
        key: 32 bytes, used for this one text only.
        context: what the text belongs to; opening needs the same.
        chunk_bytes: length of a full chunk of plain text.

    Raises:
        EvidenceError: the text has more than 2³² chunks.
    """
    cipher, prefix = AESGCM(key), secrets.token_bytes(_PREFIX_BYTES)
    header = MAGIC + prefix
    yield header
    for number, (chunk, last) in enumerate(_with_last(_even(pieces, chunk_bytes))):
        yield cipher.encrypt(_nonce(prefix, number, last=last), chunk, header + context)


def opened(file: BinaryIO, key: bytes, *, context: bytes = b"", chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Decrypt a file that `sealed` wrote; each chunk is given out only after its tag fits.

    The end is known to be the end only when the iterator finishes, so nothing may be concluded from a part.

    Args:
        file: the encrypted bytes.
        key: the key it was encrypted with.
        context: what it was encrypted for.
        chunk_bytes: length of a full chunk of plain text.

    Raises:
        SignatureRefused: a byte was changed, chunks were cut off, swapped or added, or key or context is another.
    """
    header = _exactly(file, len(MAGIC) + _PREFIX_BYTES)
    if len(header) != len(MAGIC) + _PREFIX_BYTES or not header.startswith(MAGIC):
        raise SignatureRefused("these bytes do not begin like an encrypted blob; they were changed or cut off")
    cipher, prefix = AESGCM(key), header[len(MAGIC) :]
    chunks = iter(lambda: _exactly(file, chunk_bytes + TAG_BYTES), b"")
    number = -1
    for number, (chunk, last) in enumerate(_with_last(chunks)):
        try:
            text = cipher.decrypt(_nonce(prefix, number, last=last), chunk, header + context)
        except (InvalidTag, ValueError):  # ValueError: shorter than a tag
            raise _refused(number) from None
        if not text and number:
            raise _refused(number)
        yield text
    if number < 0:
        raise _refused(0)


def sealed_length(plain_bytes: int, *, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Return how long a text becomes by encryption, in bytes."""
    chunks = max(1, -(-plain_bytes // chunk_bytes))
    return len(MAGIC) + _PREFIX_BYTES + plain_bytes + chunks * TAG_BYTES


def _refused(number: int) -> SignatureRefused:
    return SignatureRefused(
        f"chunk {number} of an encrypted blob is not what was written, or another key was given",
        hint="restore it from a backup",
    )


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    if number >= _MOST_CHUNKS:
        raise EvidenceError("an encrypted blob has at most 2³² chunks (4 PiB)")
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _even(pieces: Iterable[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Cut pieces of any lengths into chunks of one length; one empty chunk when there is nothing."""
    held = bytearray()
    count = 0
    for piece in pieces:
        held += piece
        while len(held) >= chunk_bytes:
            yield bytes(held[:chunk_bytes])
            del held[:chunk_bytes]
            count += 1
    if held or not count:
        yield bytes(held)


def _with_last(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    before: bytes | None = None
    for chunk in chunks:
        if before is not None:
            yield before, False
        before = chunk
    if before is not None:
        yield before, True


def _exactly(file: BinaryIO, length: int) -> bytes:
    """Read that many bytes, fewer only at the end of the file."""
    data = file.read(length)
    while 0 < len(data) < length and (more := file.read(length - len(data))):
        data += more
    return data
