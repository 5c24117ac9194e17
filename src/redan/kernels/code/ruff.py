"""Run ruff, a program that somebody else keeps well, over files, and read what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redan.core.errors import SubjectFailed
from redan.core.record import dataclass
from redan.kernels.code.source import MOST_BYTES

LEFT_OUT = (
    # about nearly every project, so that reading them pays for nobody
    "S101", "S110", "S112", "S311", "S403", "S404", "S603", "S607",
    # secrets have a probe of their own
    "S105", "S106", "S107",
    # judged by our own rules, which follow names and flows
    "S104", "S201", "S202", "S301", "S302", "S323", "S501", "S506", "S614", "S615",
)  # fmt: skip
"""Rules of ruff that are passed over; versions differ in which of them they know."""
MOST_SECONDS = 300
"""After this a process of ruff is given up, which fails the probe; what it says does not depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What ruff says about one place.

    Attributes:
        code: of its rule, ``S608``.
        says: its sentence.
        address: ``line 12``, ``cell 3, line 2``.
        url: of the rule's page.
    """

    code: str
    says: str
    address: str
    url: str


def program() -> str | None:
    """Return where ruff is: beside this Python, else on the path; None when it is not installed."""
    beside = Path(sys.executable).with_name("ruff.exe" if sys.platform == "win32" else "ruff")
    return str(beside) if beside.is_file() else shutil.which("ruff")


def remarks(ruff: str, files: Sequence[Path]) -> dict[Path, list[Remark]]:
    """Return what ruff says about each file that it could read; settings and comments of its folder do not count.

    Files above 2 MiB and files that do not parse are missing from the result.

    Raises:
        SubjectFailed: ruff did not end, or what it wrote is not what was asked for.
    """
    known = {str(file.absolute()): file for file in files if file.stat().st_size <= MOST_BYTES}
    if not known:
        return {}
    words = ["check", "--isolated", "--ignore-noqa", "--no-cache", "--exit-zero", "--quiet", "--no-fix"]
    asked = ["--select", "S", "--output-format", "json"]
    try:
        done = subprocess.run(  # noqa: S603  # the program that was looked for, with absolute paths after --
            [ruff, *words, *asked, "--", *known],
            capture_output=True,
            check=True,
            timeout=MOST_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        rows = json.loads(done.stdout)
    except subprocess.SubprocessError as err:
        raise SubjectFailed(f"ruff did not do its work: {err.__class__.__name__}", hint="is it recent?") from err
    except (OSError, ValueError) as err:
        raise SubjectFailed(f"ruff could not be run: {err}", hint="pip install redan[code]") from err
    found: dict[Path, list[Remark]] = {file: [] for file in known.values()}
    for row in rows:
        file = known.get(str(row.get("filename", "")))
        if file is None:
            continue
        if row.get("code") in (None, "invalid-syntax"):
            found.pop(file, None)
        elif file in found and (remark := _remark(row)) is not None:
            found[file].append(remark)
    return found


def _remark(row: dict[str, Any]) -> Remark | None:
    code, line, cell = row.get("code"), row.get("location", {}).get("row", 0), row.get("cell")
    if not isinstance(code, str) or not code.startswith("S") or code in LEFT_OUT:
        return None
    address = f"cell {cell}, line {line}" if cell else f"line {line}"
    return Remark(code=code, says=str(row.get("message", "")), address=address, url=str(row.get("url") or ""))
