"""Rows of records on the terminal: columns as wide as what they hold, the last one cut to the line's end."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from redan.reports.visible import visible

_BETWEEN = "  "


def print_columns(rows: Sequence[Mapping[str, Any]], form: str, *, nothing: str) -> None:
    """Write rows to stdout, as columns under their names or as a JSON list.

    Args:
        rows: all with the same keys.
        form: ``table`` or ``json``.
        nothing: what is said on stderr when there are none.
    """
    if form == "json":
        sys.stdout.write(json.dumps(list(rows), indent=1) + "\n")
        return
    if not rows:
        sys.stderr.write(nothing + "\n")
        return
    names = list(rows[0])
    cells = [names, *([visible(_text(row[name])) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in cells:
        text = _BETWEEN.join(f"{cell:<{wide}}" for cell, wide in zip(line, widths, strict=True)).rstrip()
        sys.stdout.write((text[:most] if most else text) + "\n")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)
