"""Files that are told apart only after every binary format has been ruled out: texts, documents and raw data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_PYTHON = re.compile(r"^(?:import [\w.]+|from [\w.]+ import |def \w+\(|class \w+[(:]|#!.*python)", re.MULTILINE)
_ROW = re.compile(r"[^\n]*[,;\t][^\n]*\n")


def read_plain(source: Source) -> str:
    """Read a source of no known binary format."""
    head = source.head(1 << 16)
    if head[:2] == b"\0\0" and len(head) > 4 and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 6:
        return "idx"
    try:
        text = head.decode("utf-8-sig") if len(head) < 1 << 16 else head[: 1 << 15].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:
        source.unknown("unknown-format", "no known format")
        return "unknown"
    if _PYTHON.search(text):
        return "python"
    return "csv" if _is_table(text) else "text"


def _is_table(text: str) -> bool:
    lines = text.splitlines()[:20]
    for separator in ",;\t":
        counts = {line.count(separator) for line in lines if line.strip()}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            return True
    return False
