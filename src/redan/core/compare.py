"""Two reports against each other: new, fixed, worse, better, or within noise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import hypot, inf, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from redan.core.codec import encode
from redan.core.errors import UnknownName
from redan.core.finding import Finding, Quantity
from redan.core.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

ChangeKind = Literal["new", "fixed", "worse", "better", "noise", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one finding.

    Attributes:
        kind: ``noise`` means the numbers differ by less than their 95 % intervals allow to tell.
        rule: identifier of the rule.
        title: title of the later finding, or of the earlier one when it is gone.
        fingerprint: what both findings share.
        before: the earlier finding.
        after: the later finding.
        detail: the numbers, one sentence.
    """

    kind: ChangeKind
    rule: str
    title: str
    fingerprint: str
    before: Finding | None
    after: Finding | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Before and after, with one change for each finding in either."""

    before: Report
    after: Report
    changes: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether anything is new or worse beyond noise among findings that are not suppressed.

        A finding of a threat that the earlier report did not measure is new, and no sign of getting worse.
        """
        measured = {p.threat for p in self.before.probes if p.outcome in ("ran", "partial")}
        return any(
            (c.kind == "worse" or (c.kind == "new" and c.after.threat in measured))
            and c.after.status in ("open", "inconclusive")
            for c in self.changes
            if c.after is not None
        )

    def to_json(self) -> bytes:
        """Serialise as one UTF-8 JSON document."""
        document = {"schema": "redan/comparison/1", **encode(self)}
        return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1).encode() + b"\n"

    def save(self, path: str | Path) -> Path:
        """Write the comparison in the format that the path's ending names (.html .md .json .txt).

        Raises:
            UnknownName: that format has no form for comparisons.
        """
        from importlib import import_module

        from redan.core.catalogue import writer_for

        target = Path(path)
        write = getattr(import_module(writer_for(target).__module__), "write_comparison", None)
        if write is None:
            raise UnknownName(f"{target.suffix} has no form for a comparison", hint="use .html, .md, .json or .txt")
        target.write_bytes(write(self))
        return target


def compare(before: Report, after: Report) -> Comparison:
    """Match findings by fingerprint and judge each pair by its numbers.

    Fingerprints contain the subject's name, so a hardened model is matched with the model it came from when both
    reports call it by the same name; findings of one rule with equal parameters and locations are matched otherwise.
    """
    earlier, later = _index(before, after), _index(after, after)
    changes = [_change(key, earlier.get(key), later.get(key)) for key in dict.fromkeys([*later, *earlier])]
    return Comparison(before=before, after=after, changes=tuple(changes))


def _index(report: Report, frame: Report) -> dict[str, Finding]:
    """Index findings by the fingerprint they would have under the later report's subject name."""
    from dataclasses import replace

    return {replace(f, subject=frame.subject.name).fingerprint: f for f in report.findings}


def _change(key: str, before: Finding | None, after: Finding | None) -> Change:
    kind, detail = judge(before, after)
    shown = after or before
    assert shown is not None
    return Change(
        kind=kind, rule=shown.rule, title=shown.title, fingerprint=key, before=before, after=after, detail=detail
    )


def judge(before: Finding | None, after: Finding | None) -> tuple[ChangeKind, str]:
    """Say what became of a finding, and the numbers behind it."""
    if before is None:
        return "new", "not in the earlier report"
    if after is None:
        return "fixed", "not in the later report"
    moves = list(_moves(before, after))
    if moves:
        # the first quantity is the one the severity rests on; where it did not move, the others prove nothing
        headline = after.quantities[0].name
        kind: ChangeKind = next((kind for name, kind, _ in moves if name == headline), "noise")
        return kind, "; ".join(text for _, _, text in moves)
    if before.severity != after.severity:
        change: ChangeKind = "worse" if after.severity > before.severity else "better"
        return change, f"severity {before.severity.word} → {after.severity.word}"
    return "same", "unchanged"


def _moves(before: Finding, after: Finding) -> Iterator[tuple[str, ChangeKind, str]]:
    for now in after.quantities:
        then = before.quantity(now.name)
        if then is None or now.better == "neither" or then.value == now.value:
            continue
        low, high = difference(then, now)
        gain = now.value - then.value if now.better == "higher" else then.value - now.value
        text = f"{now.name} {then.value:.4g} → {now.value:.4g} (difference {low:+.4g} to {high:+.4g}, 95 %)"
        if low <= 0 <= high or now.partial or then.partial:
            yield now.name, "noise", text
        else:
            yield now.name, ("better" if gain > 0 else "worse"), text


def difference(before: Quantity, after: Quantity) -> tuple[float, float]:
    """Return the 95 % interval of ``after − before`` from the two intervals.

    Method of variance estimates recovery (Zou & Donner 2008, Statistics in Medicine 27, eq. 5); for two Wilson
    intervals this is Newcombe's hybrid score interval. It treats the samples as independent, which is conservative
    when both were measured on the same inputs.
    """
    d = after.value - before.value
    low = d - hypot(after.value - after.low, before.high - before.value)
    high = d + hypot(after.high - after.value, before.value - before.low)
    # where values or ends are infinite or unknown only the ends of the intervals can tell
    if isnan(low):
        low = _or(after.low - before.high, -inf)
    if isnan(high):
        high = _or(after.high - before.low, inf)
    return low, high


def _or(number: float, otherwise: float) -> float:
    return otherwise if isnan(number) else number
