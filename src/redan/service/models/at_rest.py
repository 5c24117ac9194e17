"""A model file that lies encrypted: one data key a file, wrapped by a key that lies elsewhere, opened into memory only.

Form: 8 bytes that name the form, the length of the header in 4 bytes (big endian), the header as JSON (name of the
plain file, name of the wrapping key, the wrapped data key), then the stream of `redan.evidence.encryption.stream` with
all bytes before it as its context.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from redan.core.errors import SignatureRefused
from redan.evidence.encryption.stream import new_key, opened, sealed
from redan.evidence.encryption.wrapping import holder

if TYPE_CHECKING:
    from redan.evidence.encryption.wrapping import KeyEncryptionKey

MAGIC = b"RDNMODL1"
_LENGTH_BYTES = 4
_LARGEST_HEADER_BYTES = 16_384
_WRAPPED_FOR = "redan model at rest: "


def encrypted(data: bytes, name: str, key: KeyEncryptionKey) -> bytes:
    """Encrypt a model file.

    Args:
        data: the file.
        name: what it is called once it is opened, such as ``model.joblib``; its ending tells its format.
        key: wraps the data key.
    """
    data_key = new_key()
    header = {"name": name, "key": key.key_id, "wrapped": key.wrap(data_key, _WRAPPED_FOR + name)}
    text = json.dumps(header).encode()
    head = MAGIC + len(text).to_bytes(_LENGTH_BYTES, "big") + text
    return head + b"".join(sealed([data], data_key, context=head))


def decrypted(data: bytes, keys: Sequence[KeyEncryptionKey], shown: str) -> tuple[str, bytes]:
    """Return the name and the bytes of an encrypted model file; nothing is written anywhere.

    Args:
        data: what `encrypted` made.
        keys: that may open it.
        shown: the encrypted file, for messages.

    Raises:
        EvidenceError: none of the keys fits.
        SignatureRefused: it was changed.
    """
    start = len(MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(data[len(MAGIC) : start], "big")
    head = data[: start + min(length, _LARGEST_HEADER_BYTES)]
    try:
        header = json.loads(head[start:])
        name, key_id, wrapped = (str(header[each]) for each in ("name", "key", "wrapped"))
    except (ValueError, KeyError, TypeError):
        raise SignatureRefused(f"{shown!r} is no encrypted model any more", hint="restore it from a backup") from None
    data_key = holder(keys, key_id).unwrap(wrapped, _WRAPPED_FOR + name)
    stream = BytesIO(data)
    stream.seek(len(head))
    return name, b"".join(opened(stream, data_key, context=head))
