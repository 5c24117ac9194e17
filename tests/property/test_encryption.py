"""Encryption at rest: whatever is not exactly what was written, with its key and for its purpose, is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.core.errors import SignatureRefused
from redan.evidence.encryption.stream import MAGIC, TAG_BYTES, new_key, opened, sealed, sealed_length
from redan.evidence.encryption.wrapping import LocalKey

CHUNK = 16
HEADER = len(MAGIC) + 7
texts = st.binary(max_size=5 * CHUNK)
keys = st.binary(min_size=32, max_size=32)


def seal(text: bytes, key: bytes, context: bytes = b"c") -> bytes:
    return b"".join(sealed([text], key, context=context, chunk_bytes=CHUNK))


def unseal(data: bytes, key: bytes, context: bytes = b"c") -> bytes:
    return b"".join(opened(io.BytesIO(data), key, context=context, chunk_bytes=CHUNK))


def chunks(data: bytes) -> list[bytes]:
    full = CHUNK + TAG_BYTES
    return [data[i : i + full] for i in range(HEADER, len(data), full)]


@given(st.lists(texts, max_size=6), keys, st.binary(max_size=20))
def test_what_was_sealed_in_pieces_of_any_length_opens(pieces: list[bytes], key: bytes, context: bytes) -> None:
    data = b"".join(sealed(pieces, key, context=context, chunk_bytes=CHUNK))
    assert unseal(data, key, context) == b"".join(pieces)
    assert len(data) == sealed_length(len(b"".join(pieces)), chunk_bytes=CHUNK)


@given(texts, keys, st.data())
def test_any_flipped_bit_is_refused(text: bytes, key: bytes, data: st.DataObject) -> None:
    changed = bytearray(seal(text, key))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SignatureRefused):
        unseal(bytes(changed), key)


@given(texts, keys, st.data())
def test_any_truncation_is_refused(text: bytes, key: bytes, data: st.DataObject) -> None:
    whole = seal(text, key)
    with pytest.raises(SignatureRefused):
        unseal(whole[: data.draw(st.integers(0, len(whole) - 1))], key)


@given(texts, keys, st.binary(min_size=1, max_size=3 * CHUNK))
def test_anything_added_at_the_end_is_refused(text: bytes, key: bytes, more: bytes) -> None:
    with pytest.raises(SignatureRefused):
        unseal(seal(text, key) + more, key)


@given(st.binary(min_size=2 * CHUNK + 1, max_size=5 * CHUNK), keys, st.data())
def test_chunks_that_are_swapped_dropped_or_repeated_are_refused(text: bytes, key: bytes, data: st.DataObject) -> None:
    whole = seal(text, key)
    parts = chunks(whole)
    order = data.draw(st.lists(st.sampled_from(range(len(parts))), max_size=len(parts) + 1))
    if [parts[i] for i in order] == parts:
        order = order[::-1]
    with pytest.raises(SignatureRefused):
        unseal(whole[:HEADER] + b"".join(parts[i] for i in order), key)


@given(texts, keys, keys)
def test_another_key_is_refused(text: bytes, key: bytes, other: bytes) -> None:
    if key != other:
        with pytest.raises(SignatureRefused):
            unseal(seal(text, key), other)


@given(texts, keys, st.binary(max_size=8))
def test_another_purpose_is_refused(text: bytes, key: bytes, context: bytes) -> None:
    if context != b"c":
        with pytest.raises(SignatureRefused):
            unseal(seal(text, key), key, context)


@given(st.binary(min_size=1, max_size=5 * CHUNK), keys)
def test_chunks_of_another_text_under_the_same_key_do_not_fit(text: bytes, key: bytes) -> None:
    first, second = seal(text, key), seal(text, key)
    assert first != second
    with pytest.raises(SignatureRefused):
        unseal(first[:HEADER] + second[HEADER:], key)


@given(st.binary(min_size=CHUNK, max_size=CHUNK), keys)
def test_no_chunk_of_the_text_stands_in_the_cipher_text(text: bytes, key: bytes) -> None:
    assert text not in seal(text, key)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SignatureRefused):
        unseal(data, bytes(32))
    with pytest.raises(SignatureRefused):
        unseal(MAGIC + data, bytes(32))


def test_chunks_are_given_out_only_after_they_were_checked() -> None:
    key = new_key()
    data = bytearray(seal(b"a" * CHUNK + b"b" * CHUNK, key))
    data[-1] ^= 1
    seen = []
    with pytest.raises(SignatureRefused, match="chunk 1 "):
        seen.extend(opened(io.BytesIO(bytes(data)), key, context=b"c", chunk_bytes=CHUNK))
    assert b"".join(opened(io.BytesIO(seal(b"", key)), key, context=b"c", chunk_bytes=CHUNK)) == b""


@given(keys, keys, st.text(max_size=20), st.data())
def test_a_wrapped_key_fits_one_key_and_one_purpose(
    secret: bytes, data_key: bytes, context: str, data: st.DataObject
) -> None:
    key = LocalKey(secret)
    wrapped = key.wrap(data_key, context)
    assert key.unwrap(wrapped, context) == data_key
    other = LocalKey(bytes([secret[0] ^ 1]) + secret[1:])
    assert other.key_id != key.key_id
    place = data.draw(st.integers(0, len(wrapped) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019+/=!é"))
    changed = wrapped[:place] + letter + wrapped[place + 1 :]
    for unwrap in (
        lambda: other.unwrap(wrapped, context),
        lambda: key.unwrap(wrapped, context + "x"),
        lambda: key.unwrap(changed if changed != wrapped else wrapped[:-4], context),
    ):
        with pytest.raises(SignatureRefused):
            unwrap()
