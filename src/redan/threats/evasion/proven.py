"""What was proven about inputs, as quantities and curves; the same for every way of proving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.statistics import median_interval, wilson
from redan.threats.evasion.measured import POINTS, REACH, Setting, percent, rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec

NOT_BROKEN = "An input that is not certified is undecided, not broken"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proven:
    """What was proven of n inputs.

    Attributes:
        right: (n,) whether the clean input gets the true class.
        certified: (n,) whether all points within ε do.
        fell: (n,) whether an attack found a point within ε that does not.
        radius: (n,) distance within which all points surely get the true class, 0 where none is known.
        stages: what decided, and how many inputs.
        partial: why it was cut short, else empty.
        notes: what else a reader must know.
    """

    right: NDArray[Any]
    certified: NDArray[Any]
    fell: NDArray[Any]
    radius: NDArray[Any]
    stages: tuple[tuple[str, int], ...]
    partial: str = ""
    notes: tuple[str, ...] = ()


def quantities(found: Proven, where: Setting) -> tuple[Quantity, ...]:
    """Certified accuracy first, then what is left open, what fell, and the median certified radius."""
    partial = bool(found.partial)
    undecided = found.right & ~found.certified & ~found.fell
    rows = [
        rate("certified_accuracy", found.certified, better="higher", partial=partial),
        rate("undecided", undecided, better="neither", partial=partial),
        rate("fell", found.fell, better="lower"),
        rate("clean_accuracy", found.right, better="higher"),
    ]
    radii = sorted(float(r) for r in found.radius[found.right])
    if radii:
        low, high = median_interval(radii)
        rows.append(
            Quantity(
                name="median_certified_radius",
                value=radii[len(radii) // 2],
                unit=where.norm,
                n=len(radii),
                low=max(0.0, low),
                high=high,
                better="higher",
                partial=partial,
            )
        )
    return tuple(rows)


def curve(found: Proven, where: Setting) -> Series:
    """Share that is certified at each radius of the attack's curve: a lower bound of the true accuracy there."""
    grid = [where.eps * REACH * i / (POINTS - 1) for i in range(POINTS)]
    kept = [int((found.right & (found.radius >= eps * (1 - 1e-6))).sum()) for eps in grid]
    n = len(found.right)
    bands = [wilson(k, n) for k in kept]
    return Series(
        name="certified_by_eps",
        x=tuple(grid),
        y=tuple(k / n for k in kept),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=(n,) * len(grid),
        x_unit=where.norm,
        y_unit="fraction",
    )


def finding(
    spec: Spec,
    name: str,
    params: Mapping[str, Scalar],
    found: Proven,
    where: Setting,
    data: Dataset,
    *,
    how: str,
) -> Finding:
    """Put everything together. It is informative: a small certified share says nothing bad about the model.

    Args:
        spec: of the probe.
        name: of the subject.
        params: as the finding shows them.
        found: what was proven.
        where: norm and radius.
        data: the inputs.
        how: one sentence on what the proof rests on.
    """
    numbers = quantities(found, where)
    share, undecided, fell = numbers[:3]
    stages = Series(
        name="decided_by",
        x=tuple(stage for stage, _ in found.stages),
        y=tuple(float(count) for _, count in found.stages),
        x_unit="stage",
        y_unit="inputs",
    )
    words = [
        f"At {percent(share.value)} of {share.n} inputs no point within {where.norm} distance {where.eps:g} changes "
        f"the answer (95 % interval {percent(share.low)} to {percent(share.high)} over inputs). {how}",
        f"{percent(fell.value)} fell to an attack and {percent(undecided.value)} are undecided. {NOT_BROKEN}.",
    ]
    if found.partial:
        words.append(f"The work was cut short ({found.partial}), so more may be certifiable.")
    words += [f"{note}." for note in found.notes]
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{percent(share.value)} of {share.n} inputs are certified within {where.norm} {where.eps:g}",
        severity=Severity.INFO,
        detail=" ".join(words),
        params=params,
        quantities=numbers,
        series=(curve(found, where), stages),
        locations=(Location(uri=data.name),),
        evidence=(
            Evidence.of("certified", save_npy(found.certified), NPY, "which inputs are certified"),
            Evidence.of("radius", save_npy(found.radius), NPY, f"certified {where.norm} radius of each"),
            Evidence.of("indices", save_npy(np.asarray(data.indices)), NPY, "rows of the source, in the same order"),
        ),
        references=spec.references,
    )
