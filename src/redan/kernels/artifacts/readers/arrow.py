"""Arrow files, Feather and Parquet: columns of data, whose types may still ask a reader to unpickle.

The extension type `arrow.py_extension_type` carried a pickle that a reader loaded (CVE-2023-47248).
Source: Arrow's columnar format, "IPC File Format" and "Extension Types"; Parquet's file format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.flatbuffers import MalformedBufferError, Table
from redan.kernels.artifacts.readers.pickles import looks_like_pickle

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_PICKLED_TYPE = b"arrow.py_extension_type"
_SCHEMA_HEADER = 1
_SCHEMA_FIELDS, _SCHEMA_METADATA = 1, 2
_FIELD_NAME, _FIELD_CHILDREN, _FIELD_METADATA = 0, 5, 6
_ENCODED_SCHEMA = re.compile(rb"ARROW:schema[\s\S]{0,8}?([A-Za-z0-9+/]{40,}={0,2})")

DEEPEST_FIELD = 40
"""Types within types that are followed."""


def read_arrow(source: Source) -> str:
    """Look at the schema of an Arrow file or stream: its types and its metadata."""
    data = source.data
    start = 8 if data[:6] == _MAGIC else 0
    try:
        if start:
            _read_footer(source)
        at = start + (4 if data[start : start + 4] == _CONTINUATION else 0)
        n_bytes = int.from_bytes(bytes(data[at : at + 4]), "little")
        if n_bytes > source.ledger.limits.header_bytes:
            raise source.ledger.limit("header_bytes", source.where)
        message = Table.root(source, at + 4, at + 4 + n_bytes)
        if message.integer(1, 1) != _SCHEMA_HEADER or (schema := message.table(2)) is None:
            raise MalformedBufferError("the first message is no schema")
        _read_schema(source, schema)
    except MalformedBufferError as error:
        source.unknown("malformed-header", f"Arrow: {error}")
    return "arrow"


def _read_footer(source: Source) -> None:
    size = len(source.data)
    n_bytes = int.from_bytes(bytes(source.data[max(0, size - 10) : size - 6]), "little")
    if source.data[size - 6 :] != _MAGIC or n_bytes > size - 18:
        raise MalformedBufferError("the file has no footer")
    schema = Table.root(source, size - 10 - n_bytes, size - 10).table(1)
    if schema is None:
        raise MalformedBufferError("the footer has no schema")
    _read_schema(source, schema)


def _read_schema(source: Source, schema: Table) -> None:
    _read_metadata(source, schema, _SCHEMA_METADATA, "the schema")
    pending = [(field, 0) for field in schema.tables(_SCHEMA_FIELDS)]
    while pending:
        field, depth = pending.pop()
        if depth > DEEPEST_FIELD:
            raise source.ledger.limit("depth", source.where)
        _read_metadata(source, field, _FIELD_METADATA, f"the column {field.text(_FIELD_NAME, 80)!r}")
        pending += [(child, depth + 1) for child in field.tables(_FIELD_CHILDREN)]


def _read_metadata(source: Source, owner: Table, number: int, what: str) -> None:
    for entry in owner.tables(number):
        name, value = entry.text(0), entry.content(1)
        content = bytes(source.data[value[0] : min(value[1], value[0] + (1 << 20))]) if value else b""
        if name == "ARROW:extension:name" and content == _PICKLED_TYPE:
            source.unsafe("embedded-pickle", f"{what} has a type that readers unpickle", entry.at)
        if looks_like_pickle(content):
            source.descend(content, f"metadata@{entry.at}")
            source.unsafe("embedded-pickle", f"the metadata {name[:80]!r} of {what} is a pickle", entry.at)


def read_parquet(source: Source) -> str:
    """Look at the footer of a Parquet file: the metadata of its columns, and the Arrow schema that it may carry."""
    from base64 import b64decode

    data = source.data
    size = len(data)
    n_bytes = int.from_bytes(bytes(data[max(0, size - 8) : size - 4]), "little")
    if data[size - 4 :] != b"PAR1" or n_bytes > size - 12:
        source.unknown("truncated", "the file has no footer")
        return "parquet"
    if n_bytes > source.ledger.limits.header_bytes:
        raise source.ledger.limit("header_bytes", source.where)
    footer = bytes(data[size - 8 - n_bytes : size - 8])
    for match in _ENCODED_SCHEMA.finditer(footer):
        encoded = match[1][: len(match[1]) // 4 * 4]
        source.descend(b64decode(encoded), "ARROW:schema")
    if _PICKLED_TYPE in footer:
        source.unsafe("embedded-pickle", "a column has a type that readers unpickle")
    return "parquet"
