"""The protobuf wire format, walked without a schema. Source: protobuf.dev, "Encoding"."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source


class MalformedMessageError(ValueError):
    """Bytes that are no message."""


class Field(NamedTuple):
    """One field: its number, its wire type, and where its content lies (or, for a varint, its value in `start`)."""

    number: int
    wire: int
    start: int
    end: int


def fields(source: Source, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message between two offsets.

    Raises:
        MalformedMessageError: The bytes are no message.
        LimitReached: More fields than `Limits.nodes`, all messages together.
    """
    data = source.data
    pos = start
    while pos < end:
        source.ledger.nodes(1, source.where)
        tag, pos = varint(data, pos, end)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise MalformedMessageError("field 0")
        if wire == 0:
            value, pos = varint(data, pos, end)
            yield Field(number, wire, value, pos)
            continue
        n_bytes = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            n_bytes, pos = varint(data, pos, end)
        if n_bytes is None or n_bytes > end - pos:
            raise MalformedMessageError(f"field {number} reaches beyond its message")
        yield Field(number, wire, pos, pos + n_bytes)
        pos += n_bytes


def varint(data: Buffer, pos: int, end: int) -> tuple[int, int]:
    """The integer at `pos` and the offset behind it."""
    value = shift = 0
    while pos < end and shift < 70:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7
    raise MalformedMessageError("an integer has no end")


def text(source: Source, field: Field, longest: int = 4096) -> str:
    """The content of a string field."""
    return bytes(source.data[field.start : min(field.end, field.start + longest)]).decode("utf-8", "replace")
