"""Rows of the store on the terminal: which filter fits which kind of row, and one line or JSON object a row."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from redan.core.errors import UsageError
from redan.core.finding import Severity

KINDS = ("runs", "findings", "statements")
_FILTERS = {
    "runs": ("subject", "digest"),
    "findings": ("run", "rule", "severity", "subject", "fingerprint"),
    "statements": ("digest", "predicate_type", "key_id"),
}
_FLAGS = {"predicate_type": "type", "key_id": "key-id"}
_COLUMNS = {
    "runs": (("id", 16), ("started", 20), ("verdict", 9), ("n_findings", 5), ("subject", 0)),
    "findings": (("run", 16), ("severity", 8), ("rule", 11), ("status", 8), ("fingerprint", 16), ("subject", 0)),
    "statements": (("id", 16), ("added", 20), ("predicate_type", 0)),
}


def fitting(kind: str, wanted: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the filters that were given, as the store's search takes them.

    Raises:
        UsageError: a filter has no meaning for this kind of row.
    """
    given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    for name in given:
        if name not in _FILTERS[kind]:
            fits = ", ".join(f"--{_FLAGS.get(other, other)}" for other in _FILTERS[kind])
            raise UsageError(f"--{_FLAGS.get(name, name)} does not fit {kind}", hint=f"use {fits}")
    if "severity" in given:
        given["severity"] = Severity.of(given["severity"])
    return given


def print_rows(found: Sequence[Any], kind: str, form: str) -> None:
    """Write rows to stdout, as a table or as a JSON list."""
    from redan.reports.visible import visible

    rows = [_row(asdict(row)) for row in found]
    if form == "json":
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    for row in rows:
        cells = (f"{visible(str(row[name])):<{wide}}" for name, wide in _COLUMNS[kind])
        sys.stdout.write(" ".join(cells).rstrip() + "\n")
    if not rows:
        sys.stderr.write(f"no {kind} in the store fit\n")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Turn times and severities into words; blobs' names concern nobody outside."""
    from redan.evidence.store.clear import shown_time

    words: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_us"):
            words[name.removesuffix("_us")] = shown_time(value)
        elif name in ("severity", "gate"):
            words[name] = Severity(value).word
        elif name not in ("report", "envelope"):
            words[name] = value
    return words
