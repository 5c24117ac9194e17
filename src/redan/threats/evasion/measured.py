"""What an evasion attack found, as quantities, curves and pictures; the same for every attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.finding import Better, Evidence, Finding, Location, Quantity, Series, Table
from redan.evidence.blobs import NPY, TORCH_NPY, save_npy
from redan.evidence.replay import Replay, digest_of
from redan.kernels.pictures import is_image, triptych
from redan.kernels.statistics import median_interval, wilson
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec
    from redan.kernels.attacks.ball import Norm

POINTS = 16
REACH = 1.5
"""The curve runs to this multiple of ε; beyond ε only the minimum-norm member was looking."""
BINS = 20
"""Bins of the histogram of smallest distances, from 0 to the larger of ε and what nearly all inputs fall within."""
NEARLY_ALL = 0.98
MOST_CLASSES = 30
"""A confusion of more classes is no picture that anybody reads."""
PICTURES = 6
WITHSTOOD = "targeted_robustness"
"""Share of the inputs of other classes that could not be moved to the target."""
UNLIKE = "clean_unlike_target"
"""Share of them that the model does not take for the target without attack; right or wrong."""
UNATTACKED = "wrong already"
"""Name in the waterfall for inputs that the model errs on without any attack."""
ALREADY = "target already"
"""The same for inputs that the model takes for the target without any attack."""
TRAINING = "adversarial training: redan.harden(net, against='evasion')"
GUARDING = "validate inputs and limit queries where the model is served"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attacked:
    """Result of an attack on n inputs, as arrays.

    Attributes:
        adversarial: (n, …) misclassified point where one was found, else the input.
        success: (n,) bool; misclassified clean inputs count as fallen. Where a class is headed for, only inputs
            answered as that class count, here and in distance.
        distance: (n,) smallest distance at which the model erred; 0 if it errs without attack, inf if never.
        stages: (stage name, how many fell there) in order.
        queries: forward samples, gradient samples.
        partial: why it was cut short, else empty.
        notes: what else a reader must know.
        torch: whether the evidence is read back as torch tensors.
    """

    adversarial: NDArray[Any]
    success: NDArray[Any]
    distance: NDArray[Any]
    stages: tuple[tuple[str, int], ...]
    forward: int
    gradient: int
    partial: str = ""
    notes: tuple[str, ...] = ()
    torch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Norm, radius and box of an attack, the names of the model's classes, and what class it heads for (empty: any)."""

    norm: Norm
    eps: float
    bounds: tuple[float, float]
    classes: tuple[str, ...]
    target: str = ""


def rate(name: str, mask: NDArray[Any], *, better: Better, partial: bool = False) -> Quantity:
    """Return the share of true values with its Wilson interval."""
    n, k = len(mask), int(mask.sum())
    low, high = wilson(k, n)
    value = k / n if n else float("nan")
    return Quantity(
        name=name,
        value=value,
        unit="fraction",
        n=n,
        low=low,
        high=high,
        better=better,
        partial=partial,
    )


def quantities(found: Attacked, setting: Setting) -> tuple[Quantity, ...]:
    """Return clean and robust accuracy, success rate, median distance and cost, each with n and interval."""
    right = found.distance > 0
    partial = bool(found.partial)
    attacked = found.success[right]
    before, after = ("clean_accuracy", "robust_accuracy") if not setting.target else (UNLIKE, WITHSTOOD)
    rows = [
        rate(after, ~found.success, better="higher", partial=partial),
        rate(before, right, better="higher"),
        rate("attack_success_rate", attacked, better="lower", partial=partial),
    ]
    distances = sorted(float(d) for d in found.distance[right])
    if distances:
        middle = distances[len(distances) // 2]
        low, high = median_interval(distances)
        rows.append(
            Quantity(
                name="median_distance",
                value=middle,
                unit=setting.norm,
                n=len(distances),
                low=low,
                high=high,
                better="higher",
                partial=partial,
            )
        )
    rows += [exact("forward_samples", found.forward, len(right)), exact("gradient_samples", found.gradient, len(right))]
    return tuple(rows)


def exact(name: str, value: int, n: int) -> Quantity:
    """Return a count that has no sampling error."""
    return Quantity(name=name, value=float(value), unit="count", n=n, low=float(value), high=float(value))


def series(found: Attacked, setting: Setting, y: NDArray[Any]) -> tuple[Series, ...]:
    """Return the waterfall, the accuracy-against-ε curve and the accuracies by class."""
    unattacked = ALREADY if setting.target else UNATTACKED
    names = tuple(unattacked if name == "clean" else name for name, _ in found.stages)
    fell = tuple(float(count) for _, count in found.stages)
    waterfall = Series(name="waterfall", x=names, y=fell, x_unit="stage", y_unit="inputs")
    return (
        waterfall,
        curve(found.distance, setting),
        by_class("by_class", ~found.success, y, setting.classes),
        by_class("clean_by_class", found.distance > 0, y, setting.classes),
        histogram(found.distance, setting),
    )


def histogram(distance: NDArray[Any], setting: Setting) -> Series:
    """Return how many inputs have their smallest distance in each bin; x holds the lower edges of equal bins.

    Counted are the inputs that the model is right about without attack (n of each bin); those beyond the last bin, or
    never made to fall, are in no bin.
    """
    right = distance[distance > 0]
    known = right[np.isfinite(right)]
    top = max(setting.eps, float(np.quantile(known, NEARLY_ALL)) if len(known) else 0.0)
    counts, edges = np.histogram(known, bins=BINS, range=(0.0, top))
    return Series(
        name="distance_histogram",
        x=tuple(float(edge) for edge in edges[:-1]),
        y=tuple(float(count) for count in counts),
        n=(len(right),) * BINS,
        x_unit=setting.norm,
        y_unit="inputs",
    )


def confusion(found: Attacked, y: NDArray[Any], predicted: NDArray[Any], classes: tuple[str, ...]) -> tuple[Table, ...]:
    """Return which class the model gives to the adversarial points of each true class, or nothing to show.

    Counted are the inputs that fell to the attack; the model was right about each of them before it.
    """
    moved = found.success & (found.distance > 0) & (predicted != y)
    true, given = y[moved].astype(int), predicted[moved].astype(int)
    present = sorted({int(c) for c in (*true, *given)})
    if not present or len(present) > MOST_CLASSES:
        return ()
    counts = np.zeros((len(present), len(present)), int)
    np.add.at(counts, (np.searchsorted(present, true), np.searchsorted(present, given)), 1)
    names = [label(c, classes) for c in present]
    rows = tuple((name, *row.tolist()) for name, row in zip(names, counts, strict=True))
    return (Table(name="adversarial_classes", columns=("true class", *names), rows=rows, draw="heat"),)


def curve(distance: NDArray[Any], setting: Setting) -> Series:
    """Return accuracy against ε from the smallest distances: at each radius an upper bound of the true accuracy."""
    radii = [setting.eps * REACH * i / (POINTS - 1) for i in range(POINTS)]
    # a relative slack of float32 keeps points that lie on the sphere itself inside it
    kept = [int((distance > radius * (1 + 1e-6)).sum()) for radius in radii]
    n = len(distance)
    bands = [wilson(k, n) for k in kept]
    return Series(
        name="accuracy_by_eps",
        x=tuple(radii),
        y=tuple(k / n for k in kept),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=(n,) * len(radii),
        x_unit=setting.norm,
        y_unit="fraction",
    )


def by_class(name: str, right: NDArray[Any], y: NDArray[Any], classes: tuple[str, ...]) -> Series:
    """Return the share of right answers for each true class that occurs."""
    present = [int(c) for c in np.unique(y)]
    groups = [right[y == c] for c in present]
    bands = [wilson(int(g.sum()), len(g)) for g in groups]
    return Series(
        name=name,
        x=tuple(label(c, classes) for c in present),
        y=tuple(float(g.mean()) for g in groups),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=tuple(len(g) for g in groups),
        x_unit="class",
        y_unit="fraction",
    )


def label(index: int, classes: tuple[str, ...]) -> str:
    """Return a class's name, or its number when names are unknown."""
    return classes[index] if 0 <= index < len(classes) else str(index)


def evidence(found: Attacked, setting: Setting, data: Dataset, predicted: NDArray[Any]) -> tuple[Evidence, ...]:
    """Return the adversarial inputs, their distances, and pictures of the nearest ones where inputs are images.

    Args:
        found: the result.
        setting: norm, radius and box.
        data: what was attacked.
        predicted: (n,) classes the model gives to the adversarial inputs.
    """
    kind = TORCH_NPY if found.torch else NPY
    blobs = [
        Evidence.of("adversarial", save_npy(found.adversarial), kind, "every input, moved where an attack succeeded"),
        Evidence.of("success", save_npy(found.success), kind, "which inputs fell"),
        Evidence.of("distance", save_npy(found.distance), kind, f"smallest {setting.norm} distance that succeeded"),
        Evidence.of("indices", save_npy(data.indices), NPY, "rows of the source, in the same order"),
        replay(setting, data),
    ]
    if is_image(data.x.shape[1:]):
        chosen = worst(found, data.y)
        blobs += [_picture(i, row, found, setting, data, predicted) for i, row in enumerate(chosen)]
    return tuple(blobs)


def replay(setting: Setting, data: Dataset) -> Evidence:
    """Return what `redan verify-evidence` needs to hold the other blobs against model and data again."""
    told = Replay(
        norm=setting.norm,
        eps=setting.eps,
        bounds=setting.bounds,
        data=data.name,
        data_sha256=data.sha256,
        rows_sha256=digest_of(data),
        target=setting.target,
    )
    return Evidence.of("replay", told.to_json(), "application/json", "what to verify the evidence against")


def worst(found: Attacked, y: NDArray[Any]) -> list[int]:
    """Return the fallen inputs nearest to their originals, one a class first, so that a reader sees variety."""
    order = [int(i) for i in np.argsort(found.distance, kind="stable") if found.success[i] and found.distance[i] > 0]
    first = {int(y[i]): i for i in reversed(order)}
    varied = sorted(first.values(), key=order.index)
    return (varied + [i for i in order if i not in set(varied)])[:PICTURES]


def _picture(
    number: int, row: int, found: Attacked, setting: Setting, data: Dataset, predicted: NDArray[Any]
) -> Evidence:
    clean, moved = np.asarray(data.x[row]), np.asarray(found.adversarial[row])
    low, high = setting.bounds
    was, now = label(int(data.y[row]), setting.classes), label(int(predicted[row]), setting.classes)
    note = f"{was} → {now}, row {int(data.indices[row])}, {setting.norm} {moved_by(moved - clean, setting.norm):.4g}"
    return Evidence.of(f"triptych-{number}", triptych(clean, moved, low=low, high=high), "image/png", note)


def moved_by(delta: NDArray[Any], norm: str) -> float:
    """Return the length of one perturbation under a norm."""
    flat = np.asarray(delta, np.float64).ravel()
    if norm in {"linf", "l2"}:
        return float(np.abs(flat).max() if norm == "linf" else np.sqrt((flat * flat).sum()))
    return float(np.abs(flat).sum() if norm == "l1" else (flat != 0).sum())


def percent(share: float) -> str:
    """Return a share as people read it."""
    return f"{100 * share:.1f} %"


def finding(
    spec: Spec,
    name: str,
    params: dict[str, Scalar],
    found: Attacked,
    setting: Setting,
    data: Dataset,
    predicted: NDArray[Any],
) -> Finding:
    """Put everything together; the severity comes from the pessimistic end of robust accuracy."""
    numbers = quantities(found, setting)
    robust, clean = numbers[:2]
    state = f"are not taken for {setting.target}" if setting.target else "are right"
    detail = (
        f"Without attack {percent(clean.value)} {state}. Within {setting.norm} distance {setting.eps:g} the attack "
        f"leaves {percent(robust.value)} (95 % interval {percent(robust.low)} to {percent(robust.high)}, "
        f"n = {robust.n}); a stronger attack can only lower it."
    )
    if found.partial:
        detail += f" The attack was cut short ({found.partial}), so the true figure may be lower."
    detail = " ".join([detail, *(f"{note}." for note in found.notes)])
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{percent(robust.value)} of {robust.n} inputs withstand {setting.norm} {setting.eps:g}"
        + (f" towards {setting.target}" if setting.target else ""),
        severity=THREAT.severity(robust),
        detail=detail,
        params=params,
        quantities=numbers,
        series=series(found, setting, np.asarray(data.y)),
        tables=confusion(found, np.asarray(data.y), np.asarray(predicted), setting.classes),
        locations=(Location(uri=data.name),),
        evidence=evidence(found, setting, data, predicted),
        remedies=(TRAINING, GUARDING) if found.gradient else (GUARDING,),
        references=spec.references,
    )
