"""LightGBM's text models: lines of numbers. Source: LightGBM `src/boosting/gbdt_model_text.cpp`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_OTHER = re.compile(rb"[^\t\n\r\x20-\x7e\x80-\xff]")


def read_lightgbm(source: Source) -> str:
    """Check that the model is text to its end; it names no code."""
    found = _OTHER.search(source.data)
    if found is not None:
        source.unknown("trailing-bytes", "the model holds bytes that are no text", found.start())
    elif source.data.find(b"end of trees") < 0:
        source.unknown("truncated", "the model ends before its trees do")
    return "lightgbm"
