"""Reports of the project and of its store: listed, and shown as the HTML writer makes them, in a sandbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from redan.core.errors import RedanError, UnknownName, UsageError
from redan.core.report import Report
from redan.evidence.blobs import FolderBlobs
from redan.evidence.store import runs
from redan.evidence.store.opening import Store, open_store
from redan.reports import html
from redan.reports.html.page import POLICY
from redan.service.console.rendering import render

if TYPE_CHECKING:
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked

MOST_LISTED = 100
MOST_BYTES = 64 << 20
_NAME = re.compile(r"\d{8}T\d{6}-\d{1,10}")
SANDBOX = f"sandbox allow-scripts; {POLICY}; frame-ancestors 'none'"
"""A report runs its own small script as a document of no origin: it reaches neither session nor gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A report in a list.

    Attributes:
        where: ``runs`` or ``store``.
        id: of the run.
        subject: what was measured; empty where only opening it would tell.
        verdict: pass, fail, undecided, or empty likewise.
        n_findings: likewise, or None.
        at_us: when it was begun or written, microseconds since the epoch.
    """

    where: str
    id: str
    subject: str = ""
    verdict: str = ""
    n_findings: int | None = None
    at_us: int


async def listing(asked: Asked) -> Response:
    """List reports, newest first."""
    found, stored, trouble = await asyncio.to_thread(_listed, asked.parts)
    return render(asked, "console_reports.html", runs=found, stored=stored, trouble=trouble, most=MOST_LISTED)


async def one(asked: Asked) -> Response:
    """Show a report."""
    names = asked.request.path_params
    data = await asyncio.to_thread(_written, asked.parts, names["where"], names["id"])
    return HTMLResponse(data, headers={"Content-Security-Policy": SANDBOX})


def _listed(parts: Parts) -> tuple[list[Listed], list[Listed], str]:
    folder = _folder(parts)
    names = sorted((each.name for each in folder.iterdir() if _is_run(each)), reverse=True) if folder.is_dir() else []
    found = [
        Listed(where="runs", id=name, at_us=(folder / name / "report.json").stat().st_mtime_ns // 1000)
        for name in names[:MOST_LISTED]
    ]
    if not _has_store(parts):
        return found, [], ""
    try:
        with _store(parts) as store:
            rows = runs.listed(store, limit=MOST_LISTED)
    except RedanError as error:
        return found, [], error.message
    stored = [
        Listed(
            where="store", id=r.id, subject=r.subject, verdict=r.verdict, n_findings=r.n_findings, at_us=r.started_us
        )
        for r in rows
    ]
    return found, stored, ""


def _written(parts: Parts, where: str, id: str) -> bytes:
    if where == "store" and re.fullmatch(r"[0-9a-f]{4,64}", id) and _has_store(parts):
        with _store(parts) as store:
            return html.write(runs.report(store, runs.found(store, id)))
    place = _folder(parts) / id
    if where != "runs" or _NAME.fullmatch(id) is None or not _is_run(place):
        raise UnknownName("there is no such report")
    file = place / "report.json"
    if file.stat().st_size > MOST_BYTES:
        raise UsageError("this report is too large to be shown here", hint="redan report RUN --format html")
    report = Report.read(file)
    evidence = place / "evidence"
    return html.write(replace(report, blobs=FolderBlobs(evidence)) if evidence.is_dir() else report)


def _folder(parts: Parts) -> Path:
    return parts.root / parts.settings.run.folder / "runs"


def _is_run(place: Path) -> bool:
    return _NAME.fullmatch(place.name) is not None and (place / "report.json").is_file()


def _has_store(parts: Parts) -> bool:
    url = parts.settings.store.url
    return "://" in url or (parts.root / url).is_file()


@contextmanager
def _store(parts: Parts) -> Iterator[Store]:
    given = parts.settings.store
    store = open_store(url=given.url, blobs=given.blobs, keys=given.keys, root=parts.root)
    try:
        yield store
    finally:
        store.close()
