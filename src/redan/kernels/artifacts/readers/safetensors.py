"""safetensors: a JSON header and raw tensors. Source: the format section of the safetensors README."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32,
    "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "C64": 64, "C128": 128,
}  # fmt: skip


class _DuplicateKeyError(ValueError):
    """A header names one key twice, so that two readers may see two tensors."""


def read_safetensors(source: Source) -> str:
    """Check that the header is one JSON object and that every tensor lies where and as long as it says."""
    data = source.data
    n_header = int.from_bytes(bytes(data[:8]), "little")
    if n_header > len(data) - 8:
        source.unknown("truncated", f"the header claims {n_header} bytes of {len(data)}", 0)
        return "safetensors"
    if n_header > source.ledger.limits.header_bytes:
        raise source.ledger.limit("header_bytes", source.where)
    content = bytes(data[8 : 8 + n_header])
    source.ledger.nodes(content.count(b"[") + content.count(b"{"), source.where)
    try:
        header = json.loads(content, object_pairs_hook=_unique)
    except _DuplicateKeyError as error:
        source.unknown("ambiguous-header", str(error), 8)
        return "safetensors"
    except (ValueError, RecursionError) as error:
        source.unknown("malformed-header", f"the header is no JSON: {type(error).__name__}", 8)
        return "safetensors"
    if not isinstance(header, dict):
        source.unknown("malformed-header", "the header is no JSON object", 8)
    else:
        _check_tensors(source, header, len(data) - 8 - n_header)
    return "safetensors"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError("the header names a key twice, and loaders differ in which one counts")
    return found


def _check_tensors(source: Source, header: dict[str, object], n_data: int) -> None:
    source.ledger.nodes(len(header), source.where)
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        span = _span(entry)
        if span is None:
            source.unknown("malformed-header", f"tensor {name[:80]!r} has no dtype, shape and offsets that agree")
        elif span[1] > n_data:
            source.unknown("out-of-bounds", f"tensor {name[:80]!r} ends at {span[1]} of {n_data} bytes")
        else:
            spans.append(span)
    spans.sort()
    end = 0
    for start, stop in spans:
        if start != end:
            source.unknown("malformed-header", "tensors overlap or leave a gap", start)
            return
        end = stop
    if end != n_data:
        source.unknown("trailing-bytes", "bytes behind the last tensor belong to none", end)


def _span(entry: object) -> tuple[int, int] | None:
    if not isinstance(entry, dict):
        return None
    offsets, shape, bits = entry.get("data_offsets"), entry.get("shape"), _BITS.get(str(entry.get("dtype")))
    if not _are_sizes(offsets) or not _are_sizes(shape) or bits is None or len(offsets) != 2:
        return None
    n_items = 1
    for length in shape:
        n_items *= length
    start, stop = offsets
    return (start, stop) if stop - start == -(-n_items * bits // 8) else None


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
