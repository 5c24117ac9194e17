"""Two bills of materials against each other: what came, went, moved, and what that means."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from redan.core.compare import difference
from redan.core.errors import UsageError
from redan.core.finding import Quantity
from redan.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.core.finding import Better
    from redan.runner.bom_documents import Document

ChangeKind = Literal[
    "added", "removed", "upgraded", "downgraded", "version", "licence", "digest", "number", "vulnerability"
]

_BETTER = "redan:better:"
_WAYS: dict[str, Better] = {"higher": "higher", "lower": "lower"}
_SIZE = re.compile(r"(?:^|; )n=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BomChange:
    """One difference.

    Attributes:
        kind: what changed.
        what: name of the component, with its ecosystem or kind.
        detail: before and after in words.
        worse: whether somebody should look before it ships.
    """

    kind: ChangeKind
    what: str
    detail: str
    worse: bool


def compare(before: Document, after: Document) -> tuple[BomChange, ...]:
    """Return the differences of two CycloneDX bills, worse ones first.

    Raises:
        UsageError: one of them is no CycloneDX document.
    """
    for document in (before, after):
        if not document.standard.startswith("CycloneDX"):
            raise UsageError(f"{document.standard} cannot be compared", hint="make both bills as CycloneDX")
    old, new = _index(before.content), _index(after.content)
    found = [change for key in dict.fromkeys([*old, *new]) for change in _component(old.get(key), new.get(key), key)]
    found += _vulnerabilities(before.content, after.content)
    return tuple(sorted(found, key=lambda c: (not c.worse, c.kind, c.what, c.detail)))


_Key = tuple[str, str]
_Rows = list[dict[str, Any]]


def _index(content: dict[str, Any]) -> dict[_Key, _Rows]:
    """Return the components by what makes them the same thing: the package without its version, else kind and name."""
    metadata = content.get("metadata")
    subject = metadata.get("component") if isinstance(metadata, dict) else None
    parts = subject.get("components") if isinstance(subject, dict) else None
    found: dict[_Key, _Rows] = {}
    for row in [*_rows(content.get("components")), *_rows(parts)]:
        purl = str(row.get("purl") or "")
        key = ("package", re.sub(r"[@?#].*$", "", purl)) if purl else (str(row.get("type")), str(row.get("name")))
        found.setdefault(key, []).append(row)
    return found


def _rows(value: Any) -> _Rows:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _component(old: _Rows | None, new: _Rows | None, key: _Key) -> Iterator[BomChange]:
    what = f"{key[0]} {key[1]}" if key[0] != "package" else key[1].removeprefix("pkg:")
    if old is None or new is None:
        rows = new or old or []
        versions = ", ".join(str(row.get("version") or "no version") for row in rows)
        yield BomChange(kind="added" if old is None else "removed", what=what, detail=versions, worse=False)
        return
    first, last = old[0], new[0]
    yield from _version(what, str(first.get("version") or ""), str(last.get("version") or ""), key[0])
    if _licences(first) != _licences(last):
        detail = f"{_licences(first) or 'none'} → {_licences(last) or 'none'}"
        # a licence that becomes known takes nothing away
        yield BomChange(kind="licence", what=what, detail=detail, worse=bool(_licences(first)))
    yield from _digests(what, first, last)
    yield from _numbers(what, first, last)


def _version(what: str, old: str, new: str, kind: str) -> Iterator[BomChange]:
    if old == new or kind in ("file", "data"):
        return
    from packaging.version import InvalidVersion, Version

    detail = f"{old or 'no version'} → {new or 'no version'}"
    try:
        down = Version(new) < Version(old)
        yield BomChange(kind="downgraded" if down else "upgraded", what=what, detail=detail, worse=down)
    except InvalidVersion:
        yield BomChange(kind="version", what=what, detail=detail, worse=bool(old) and not new)


def _licences(row: dict[str, Any]) -> str:
    found = []
    for each in _rows(row.get("licenses")):
        inner = each.get("license")
        named = inner if isinstance(inner, dict) else {}
        found.append(str(each.get("expression") or named.get("id") or named.get("name") or ""))
    return ", ".join(sorted(found))


def _digests(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[BomChange]:
    """Tell when the same version has other bytes: none of the digests of one algorithm is left."""
    was, now = _hashes(old), _hashes(new)
    shared = sorted(was.keys() & now.keys())
    changed = [name for name in shared if not was[name] & now[name]]
    same_version = old.get("version") == new.get("version")
    version = str(new.get("version") or "")
    if changed and (same_version or version.startswith("sha256-")):
        name = changed[0]
        fixed = same_version and version != ""
        detail = f"{name} {min(was[name])[:12]}… → {min(now[name])[:12]}…"
        yield BomChange(
            kind="digest", what=what, detail=detail + (f" at version {version}" if fixed else ""), worse=fixed
        )


def _hashes(row: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in _rows(row.get("hashes")):
        found.setdefault(str(each.get("alg")), set()).add(str(each.get("content")))
    for each in _rows(row.get("properties")):
        if each.get("name") == "redan:installed":
            found.setdefault("installed files", set()).add(str(each.get("value")).partition(":")[2])
    return found


def _numbers(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[BomChange]:
    was, now = _measured(old), _measured(new)
    for key in was.keys() & now.keys():
        then, later = was[key], now[key]
        low, high = difference(then, later)
        if then.value == later.value or low <= 0 <= high:
            continue
        gain = later.value - then.value if later.better == "higher" else then.value - later.value
        detail = f"{later.name} {then.value:.4g} → {later.value:.4g} (difference {low:+.4g} to {high:+.4g}, 95 %)"
        yield BomChange(kind="number", what=what, detail=detail, worse=later.better != "neither" and gain < 0)


def _measured(row: dict[str, Any]) -> dict[tuple[str, str], Quantity]:
    """Return the metrics of a model card by name and slice; what is no number with an interval is left out."""
    given = row.get("modelCard")
    card = given if isinstance(given, dict) else {}
    analysis, better = card.get("quantitativeAnalysis"), _directions(card)
    found = {}
    for each in _rows(analysis.get("performanceMetrics") if isinstance(analysis, dict) else None):
        between = each.get("confidenceInterval")
        ends = between if isinstance(between, dict) else {}
        try:
            value, low, high = (float(each["value"]), float(ends["lowerBound"]), float(ends["upperBound"]))
        except (KeyError, TypeError, ValueError):
            continue
        name, where = str(each.get("type")), str(each.get("slice") or "")
        n = int(match[1]) if (match := _SIZE.search(where)) else 0
        if isfinite(value):
            key = (name, _SIZE.sub("", where))
            found[key] = Quantity(
                name=name,
                value=value,
                unit="",
                n=n,
                low=low,
                high=high,
                better=_WAYS.get(better.get(name, ""), "neither"),
            )
    return found


def _directions(card: dict[str, Any]) -> dict[str, str]:
    """Return which way is better for each metric; CycloneDX has no field for it, so Redan keeps it in properties."""
    rows = _rows(card.get("properties"))
    return {str(row.get("name")).removeprefix(_BETTER): str(row.get("value")) for row in rows}


def _vulnerabilities(before: dict[str, Any], after: dict[str, Any]) -> Iterator[BomChange]:
    was, now = _states(before), _states(after)
    for key in sorted(now.keys() | was.keys()):
        old, new = was.get(key, ""), now.get(key, "")
        if old == new:
            continue
        worse = new in ("exploitable", "in_triage", "not said")
        detail = f"{old or 'not there'} → {new or 'gone'}"
        yield BomChange(kind="vulnerability", what=f"{key[0]} in {key[1]}", detail=detail, worse=worse)


def _states(content: dict[str, Any]) -> dict[tuple[str, str], str]:
    found = {}
    for each in _rows(content.get("vulnerabilities")):
        analysis = each.get("analysis")
        state = str(analysis.get("state") or "not said") if isinstance(analysis, dict) else "not said"
        for affected in _rows(each.get("affects")):
            ref = re.sub(r"@.*$", "", str(affected.get("ref")))
            found[str(each.get("id")), ref] = state
    return found
