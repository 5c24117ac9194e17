"""Two runs of one probe against each other: the same numbers, or marked as cut short."""

from __future__ import annotations

import json
from collections.abc import Iterable

from redan.core.codec import encode
from redan.core.finding import Finding
from redan.testing.case import Item
from redan.testing.promise import insist

CLOSE = 1e-3
"""Relative difference that sums over batches of another size may show; a verdict shows none."""


def text(items: Iterable[Item]) -> str:
    """Return everything that was yielded as one text, to be compared."""
    return json.dumps([encode(item) for item in items], default=repr)


def insist_same(before: list[Item], after: list[Item], changed: str) -> None:
    """Insist that two runs found the same, whatever was changed between them."""
    first, second = _numbers(before), _numbers(after)
    insist(
        first.keys() == second.keys(),
        f"{changed} changes which findings there are",
        "key draws by data.indices, not by position; keep what changes no result out of a finding's params",
    )
    for key, numbers in first.items():
        for name, value in numbers.items():
            other = second[key].get(name)
            insist(
                other is not None and _close(value, other),
                f"{changed} changes {name} from {value} to {other}",
                "key draws by data.indices (redan.core.seeds.derive), and let no sample influence another",
            )


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= CLOSE * max(abs(one), abs(other))


def _numbers(items: list[Item]) -> dict[str, dict[str, float]]:
    """Return the numbers that are judged, by finding; what was spent may differ."""
    return {
        f.fingerprint: {q.name: q.value for q in f.quantities if q.better != "neither"}
        for f in items
        if isinstance(f, Finding)
    }


def insist_marked(cut: list[Item], whole: list[Item]) -> None:
    """Insist that everything a cut run yields is either marked or just what a whole run yields."""
    known = {text([item]) for item in whole}
    for item in cut:
        if text([item]) in known:
            continue
        insist(
            isinstance(item, Finding) and any(q.partial for q in item.quantities),
            f"a run that was cut short yields an unmarked result: {getattr(item, 'title', item)!r}",
            "set partial=True on each quantity that the budget cut short, or yield nothing",
        )
