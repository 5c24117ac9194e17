"""CatBoost's binary models: a FlatBuffer of trees, and tables of statistics behind it.

Source: catboost/libs/model/flatbuffers/model.fbs and catboost/libs/model/model.cpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.flatbuffers import MalformedBufferError, Table

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_HEAD_BYTES = 8
_TREES, _INFO, _PARTS = 1, 2, 3


def read_catboost(source: Source) -> str:
    """Check that the model's tables lie within the file and that whatever stands behind them is named."""
    end = _HEAD_BYTES + int.from_bytes(bytes(source.data[4:_HEAD_BYTES]), "little")
    if end > len(source.data):
        source.unknown("truncated", f"the model claims {end} bytes of {len(source.data)}", 4)
        return "catboost"
    try:
        core = Table.root(source, _HEAD_BYTES, end)
        for entry in core.tables(_INFO):
            entry.text(0)
            entry.content(1)
        if core.table(_TREES) is None:
            source.unknown("malformed-header", "the model has no trees")
        if not core.texts(_PARTS) and end < len(source.data):
            source.unknown("trailing-bytes", "bytes behind the model belong to no part of it", end)
    except MalformedBufferError as error:
        source.unknown("out-of-bounds", f"CatBoost: {error}")
    return "catboost"
