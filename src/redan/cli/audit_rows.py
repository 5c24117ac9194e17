"""Audit records on the terminal: what times people write, and records as table, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from redan.cli.columns import print_columns
from redan.core.errors import ConfigError, UsageError
from redan.core.settings import age_s

if TYPE_CHECKING:
    from redan.service.audit.query import Found

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def time_us(text: str | None) -> int | None:
    """Read a time: how long ago (90m, 12h, 7d, 2w), or a date with or without a time, UTC unless it says else.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        ago = age_s(text)
    except ConfigError:
        ago = None
    if ago is not None:
        return int((time.time() - ago) * 1e6)
    try:
        given = datetime.fromisoformat(text)
    except ValueError as err:
        raise UsageError(f"{text!r} is no time", hint="write 12h, 7d, 2026-11-21 or 2026-11-21T08:30:00") from err
    return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() * 1e6)


def shown_time(t_us: int) -> str:
    """Return a time for people, UTC; as a number when it lies outside of what a calendar holds."""
    try:
        return datetime.fromtimestamp(t_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(t_us)


def print_records(found: Sequence[Found], form: str) -> None:
    """Write records to stdout as ``table``, ``json`` or ``csv``."""
    if form == "table":
        print_columns([_row(one) for one in found], form, nothing="no record fits")
    elif form == "json":
        sys.stdout.write(json.dumps([_whole(one) for one in found], indent=1) + "\n")
    else:
        _print_csv([_whole(one) for one in found])


def _row(one: Found) -> dict[str, Any]:
    act = one.act
    verdict = "allowed" if act.ok else f"denied: {act.why}" if act.why else "denied"
    about = f"{act.act} {act.model}".strip()
    return {"time": shown_time(act.t_us), "who": act.who, "what": about, "verdict": verdict, "index": one.index}


def _whole(one: Found) -> dict[str, Any]:
    import msgspec

    act: dict[str, Any] = msgspec.to_builtins(one.act)
    return {"replica": one.replica, "index": one.index, "time": shown_time(one.act.t_us), "ok": one.act.ok} | act


_CSV = ("time", "replica", "index", "t_us", "who", "cred", "act", "model", "digest", "x", "y", "ok", "why", "status",
        "us", "rows", "id", "addr")  # fmt: skip


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_CSV)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in _CSV])


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from taking what a client wrote for a formula."""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value
