"""Rotation and shift: an attacker who only holds the thing differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.clustered import share
from redan.kernels.pictures import triptych
from redan.kernels.statistics import wilson
from redan.threats.evasion.measured import label, percent, rate
from redan.threats.evasion.sampling import chosen, estimated, images, spent
from redan.threats.evasion.setting import box
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.corruptions.grid import Grid

    class Labelled(Subject, Labels):
        """A subject with labels."""


EFFORT = {"quick": (5, 3, 50), "standard": (9, 5, 100), "deep": (31, 5, 500)}
"""Plan → (rotations, shifts along each axis, most inputs)."""
PICTURES = 4
REMEDIES = (
    "train with rotated and shifted copies, and on the worst of several for each input",
    "find and straighten the object before it is classified",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialParams(core_params.Params):
    """Parameters of the search over rotations and shifts.

    Attributes:
        degrees: most rotation to either side.
        shift: most shift along each axis, as a share of the shorter side.
        plan: how fine the grid is: quick (45 places), standard (225) or deep (775).
    """

    degrees: float = 30.0
    shift: float = 0.1
    plan: Literal["quick", "standard", "deep"] = "standard"


@probe(
    Spec(
        id="RDN-EVA-051",
        name="spatial",
        threat="evasion",
        title="Accuracy at the worst rotation and shift",
        source="Engstrom et al. 2019, ICML, section 3 (grid search)",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1712.02779"),
        default=False,
    )
)
class Spatial:
    """Measures how many inputs withstand every rotation and shift of a grid.

    What it measures:
        The share of inputs that stay right at all places of the grid, beside the mean over the grid, which is what
        chance would meet.

    Why it matters:
        Turning and moving an object needs no model, no gradients and no computer, and no bound on pixels forbids it.

    How:
        Every image is turned and moved to every place of the grid, bilinearly, with its edge repeated, and asked.

    Shapes:
        x: (n, c, h, w) or (n, h, w) with 1 or 3 channels; y: (n,) class indices.

    Units:
        Degrees, shares of the shorter side, fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the mean over the grid with the effective sample size of inputs.
        The worst of a finite grid is an upper bound of the true worst case.

    Cost:
        One answer for each input and place: 22 500 with the standard plan.

    Sources:
        Engstrom, Tran, Tsipras, Schmidt & Madry 2019, "Exploring the landscape of spatial robustness".

    Limits:
        Whether 30 degrees keep the true class is for the owner of the data to judge: digits 6 and 9, arrows.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SpatialParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: SpatialParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask every place of the grid and yield one finding; nothing is drawn, so the seed changes nothing."""
        from redan.kernels.corruptions.grid import Grid

        del seed
        if not (0 <= params.degrees <= 180 and 0 <= params.shift <= 0.5):
            raise UsageError("degrees must lie within 0 and 180 and shift within 0 and 0.5")
        n_degrees, n_shifts, most = EFFORT[params.plan]
        data = chosen(inputs.role("test"), most)
        images(data)
        bounds = box(subject, data)
        grid = Grid(degrees=params.degrees, shift=params.shift, n_degrees=n_degrees, n_shifts=n_shifts)
        answers, partial = _answers(subject, data, grid, budget, observe)
        yield _finding(subject, params, data, grid, answers, bounds, partial)


def _pixels(data: Dataset) -> NDArray[np.float32]:
    """Return the images with a channel, (n, c, h, w)."""
    return np.asarray(data.x, np.float32).reshape(len(data), -1, *data.x.shape[-2:])


def _answers(
    subject: Labelled, data: Dataset, grid: Grid, budget: Budget, observe: Observer
) -> tuple[NDArray[np.int64], str]:
    """Return the answers at each place, (places, n), −1 where a budget cut it short, and why."""
    order = np.argsort(grid.sizes(), kind="stable")
    answers = np.full((len(grid), len(data)), -1, np.int64)
    pixels = _pixels(data)
    observe.started("spatial", len(grid))
    for done, place in enumerate(map(int, order)):
        if why := spent(budget, len(data)):
            if not done:
                raise BudgetSpent(why)
            return answers, why
        budget.charge(queries=len(data))
        answers[place] = subject.labels(grid.moved(pixels, place).reshape(data.x.shape))
        observe.advanced("spatial", done + 1, len(grid))
    observe.finished("spatial", f"{(answers == data.y).all(axis=0).mean():.1%} withstand")
    return answers, ""


def _finding(
    subject: Labelled,
    params: SpatialParams,
    data: Dataset,
    grid: Grid,
    answers: NDArray[np.int64],
    bounds: tuple[float, float],
    partial: str,
) -> Finding:
    y = np.asarray(data.y)
    asked = answers[:, 0] >= 0
    right = (answers == y) | ~asked[:, None]
    held = right.all(axis=0)
    robust = rate("spatial_accuracy", held, better="higher", partial=bool(partial))
    clean = right[int(np.argmin(grid.sizes()))]
    mean = share(right[asked].mean(axis=0))
    count = float(asked.sum() * len(data))
    numbers = (
        robust,
        rate("clean_accuracy", clean, better="higher"),
        estimated("mean_spatial_accuracy", mean, better="higher", partial=bool(partial)),
        Quantity(name="queries", value=count, unit="count", n=len(data), low=count, high=count),
    )
    detail = (
        f"Unmoved, {percent(float(clean.mean()))} are right; at the worst of {int(asked.sum())} places within "
        f"{params.degrees:g} degrees and {params.shift:g} of the side {percent(robust.value)} (95 % interval "
        f"{percent(robust.low)} to {percent(robust.high)}, n = {robust.n}); over all places on average "
        f"{percent(mean.value)}."
    )
    return Finding(
        rule=Spatial.spec.id,
        threat=Spatial.spec.threat,
        subject=subject.ref.name,
        title=f"{percent(robust.value)} of {robust.n} inputs withstand every rotation and shift tried",
        severity=THREAT.severity(robust),
        detail=f"{detail} It was cut short: {partial}." if partial else detail,
        params=params.as_dict(),
        quantities=numbers,
        series=(_by_size(grid, right),),
        tables=(_table(grid, right, asked),),
        locations=(Location(uri=data.name),),
        evidence=_evidence(subject, data, grid, answers, right, bounds),
        remedies=REMEDIES,
        references=Spatial.spec.references,
    )


def _by_size(grid: Grid, right: NDArray[np.bool_]) -> Series:
    """Return the accuracy at the worst place of each size, as a share of the most."""
    sizes = grid.sizes()
    steps = np.unique(np.round(sizes, 6))
    kept = [right[sizes <= step + 1e-6].all(axis=0) for step in steps]
    bands = [wilson(int(k.sum()), len(k)) for k in kept]
    return Series(
        name="accuracy_by_size",
        x=tuple(float(step) for step in steps),
        y=tuple(float(k.mean()) for k in kept),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=(right.shape[1],) * len(kept),
        x_unit="share of the most rotation and shift",
        y_unit="fraction",
    )


def _table(grid: Grid, right: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Table:
    """Return the accuracy at the worst place by rotation and by the longer of the two shifts."""
    shape = (grid.n_degrees, grid.n_shifts**2)
    shares = np.abs(grid.shares())
    longest = np.maximum(shares[:, None], shares[None, :]).reshape(-1)
    steps = np.unique(np.round(longest, 6))
    kept, known = right.reshape(*shape, -1), asked.reshape(shape)
    rows: list[tuple[Scalar, ...]] = []
    for angle, held, was_asked in zip(grid.angles(), kept, known, strict=True):
        cells = [np.abs(longest - step) < 1e-6 for step in steps]
        rows.append(
            (f"{angle:g}°", *(float(held[c].all(axis=0).mean()) if was_asked[c].all() else None for c in cells))
        )
    heads = tuple(f"shift {step:.3g}" for step in steps)
    return Table(name="accuracy_by_rotation_and_shift", columns=("rotation", *heads), rows=tuple(rows), draw="heat")


def _evidence(
    subject: Labelled,
    data: Dataset,
    grid: Grid,
    answers: NDArray[np.int64],
    right: NDArray[np.bool_],
    bounds: tuple[float, float],
) -> tuple[Evidence, ...]:
    """Return each input at the nearest place where it falls, and pictures of some."""
    order = np.argsort(grid.sizes(), kind="stable")
    place = order[np.argmin(right[order], axis=0)]
    fell = ~right.all(axis=0)
    pixels = _pixels(data)
    moved = pixels.copy()
    for index in np.unique(place[fell]):
        rows = fell & (place == index)
        moved[rows] = grid.moved(pixels[rows], int(index))
    blobs = [
        Evidence.of("adversarial", save_npy(moved.reshape(data.x.shape)), NPY, "every input, moved where it falls"),
        Evidence.of("success", save_npy(fell), NPY, "which inputs fall"),
        Evidence.of("place", save_npy(np.array([grid.place(int(p)) for p in place])), NPY, "degrees, down, right"),
        Evidence.of("indices", save_npy(data.indices), NPY, "rows of the source, in the same order"),
    ]
    names = subject.classes or data.classes
    shown = [int(i) for i in np.flatnonzero(fell & (grid.sizes()[place] > 0))[:PICTURES]]
    for number, row in enumerate(shown):
        degrees, down, right_by = grid.place(int(place[row]))
        picture = triptych(pixels[row], moved[row], low=bounds[0], high=bounds[1], gain=1.0)
        now = label(int(answers[place[row], row]), names)
        note = f"{label(int(data.y[row]), names)} → {now}, {degrees:g} degrees, {down:.3g} down, {right_by:.3g} right"
        blobs.append(Evidence.of(f"triptych-{number}", picture, "image/png", note))
    return tuple(blobs)
