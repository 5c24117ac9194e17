"""The tables that attacks on synthetic data work on: the original, the synthetic one, and rows that neither knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.kernels.statistics import wilson
from redan.threats.privacy.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.finding import Table
    from redan.core.params import Params
    from redan.core.probe import Spec
    from redan.core.subject import Files
    from redan.evidence.datasets.table import Column
    from redan.kernels.synthetic.comparing import Risk
    from redan.kernels.synthetic.rows import Mixed

LEAST = 20
CHANCE = 0.01
"""Probability of a gain by chance from which it counts as chance."""
REMEDIES = (
    "make the synthetic data with differential privacy, or from a model that fits its rows less closely",
    "remove synthetic rows that lie next to an original one, and columns that nobody needs",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Rows of the same columns.

    Attributes:
        data: the columns.
        original: (n, d) rows that the synthetic data were learnt from.
        control: (n, d) rows of the same population that they were not; None where none were given.
        synthetic: (m, d) synthetic rows, shuffled.
        draws: generator for what else is drawn.
    """

    data: Mixed
    original: NDArray[Any]
    control: NDArray[Any] | None
    synthetic: NDArray[Any]
    draws: Any


def tables(subject: Files, original: str, control: str, rows: int, seed: int) -> Tables:
    """Read the tables and take as many rows of the original as of the control, at random.

    Args:
        subject: the synthetic data.
        original: path of the original.
        control: path of the control; empty for none.
        rows: most rows of either.
        seed: of the draws.

    Raises:
        Skipped: no original was named.
        ShapeMismatch: fewer than two columns in common, or too few rows.
        Unreadable: one of them is no table.
    """
    if not original:
        raise Skipped("no original was named", hint="redan data synthetic ORIGINAL SYNTHETIC --control CONTROL")
    import numpy as np

    from redan.evidence.datasets.reading import read_table
    from redan.kernels.synthetic.rows import mixed

    read = [read_table(path) for path in (Path(original), subject.root, *([Path(control)] if control else []))]
    names = [c.name for c in read[0].columns if all(other.column(c.name) is not None for other in read)]
    if len(names) < 2:
        raise ShapeMismatch(f"{read[0].name!r} and {read[1].name!r} have {len(names)} columns in common; expected two")
    for each in read:
        if each.n_rows < LEAST:
            raise ShapeMismatch(f"{each.name!r} has {each.n_rows} rows; expected at least {LEAST}")
    columns = [[each.column(name) for each in read] for name in names]
    data = mixed(tuple(names), tuple(tuple(_values(c, column) for c in column) for column in columns))
    draws = np.random.default_rng(seed)
    n = min(rows, *(len(side) for place, side in enumerate(data.sides) if place != 1))
    sides = [side[draws.permutation(len(side))] for side in data.sides]
    held = sides[2][:n] if control else None
    return Tables(data=data, original=sides[0][:n], control=held, synthetic=sides[1], draws=draws)


def _values(column: Column | None, together: list[Column | None]) -> NDArray[Any]:
    """Return numbers where the column holds numbers in every table, else text."""
    assert column is not None
    if all(other is not None and other.kind in ("integer", "number") for other in together):
        return column.values
    return column.values.astype(str).astype(object)


def quantity(name: str, gain: Risk, n: int) -> Quantity:
    """Return a gain over the control as a quantity."""
    return Quantity(name=name, value=gain.value, unit="fraction", n=n, low=gain.low, high=gain.high, better="lower")


def rate(name: str, hits: int, n: int) -> Quantity:
    """Return a share of targets or guesses with its interval."""
    low, high = wilson(hits, n)
    return Quantity(name=name, value=hits / n, unit="fraction", n=n, low=low, high=high, better="lower")


def finding(
    spec: Spec,
    subject: Files,
    params: Params,
    gain: Risk | None,
    quantities: tuple[Quantity, ...],
    *,
    title: str,
    detail: str,
    table: Table,
) -> Finding:
    """Put everything together; without a control nothing is decided.

    The severity is that of the pessimistic end, and none where the gain may be chance.
    """
    beyond = gain is not None and gain.p < CHANCE
    if gain is None:
        detail += (
            " Without a control nobody can say how much of it holds for anybody of that population: give rows that the "
            "synthetic data were not made from."
        )
    else:
        detail += f" By chance such a gain comes up with probability {gain.p:.3f}."
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.root.name,
        title=title,
        severity=THREAT.severity(quantities[0]) if beyond else Severity.INFO,
        status="inconclusive" if gain is None else "open",
        detail=detail,
        params=params.as_dict(),
        quantities=quantities,
        tables=(table,),
        locations=(Location(uri=subject.root.name),),
        remedies=REMEDIES,
        references=spec.references,
    )
