"""The adversarial patch: a sticker that makes a model err, and the place where it does so best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.clustered import paired, share
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.pictures import png, triptych
from redan.threats.evasion.measured import label, percent, rate
from redan.threats.evasion.sampling import chosen, estimated, images, numbered
from redan.threats.evasion.setting import box
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.patches.scanning import Scanned
    from redan.kernels.patches.universal import TrainedPatch

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


EFFORT = {"quick": (30, 1, 5, 50), "standard": (120, 2, 9, 100), "deep": (500, 4, 15, 500)}
"""Plan → (steps, starts, places along each axis, most inputs)."""
MOST_TRAINING = 2000
PICTURES = 4
SHOWN_PIXELS = 112
TRAINED = "trained"
REMEDIES = (
    "train with patches at random places, or mask parts of the input and let the answers vote",
    "watch the camera's view for high-contrast areas where the model is served",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchParams(core_params.Params):
    """Parameters of the patch.

    Attributes:
        area: share of the image that the square patch covers.
        target: class that every image is to be taken for; −1 for any wrong one.
        plan: how long to train and how densely to scan: quick, standard or deep.
    """

    area: float = 0.08
    target: int = -1
    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patched:
    """What was found.

    Attributes:
        trained: the patch.
        at: (places, 2) corners that were scanned.
        scans: kind of patch → answers at each place.
        clean: (n,) whether the untouched image is right.
        pixels: (n, c, h, w) the images.
    """

    trained: TrainedPatch
    at: NDArray[np.int64]
    scans: dict[str, Scanned]
    clean: NDArray[np.bool_]
    pixels: NDArray[np.float32]

    @property
    def partial(self) -> str:
        """Why it was cut short, else empty."""
        return self.trained.reason or next((s.reason for s in self.scans.values() if s.reason), "")

    def held(self, kind: str, y: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which images are right unpatched and with a patch of that kind at every place, (n,)."""
        return np.asarray(self.clean & self.scans[kind].right(y).all(axis=0))


@probe(
    Spec(
        id="RDN-EVA-052",
        name="patch",
        threat="evasion",
        title="Accuracy under an adversarial patch at its worst place",
        source="Brown et al. 2017, section 2; worst place by exhaustive scan",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0041", "owasp:ML01", "arxiv:1712.09665"),
        default=False,
    )
)
class Patch:
    """Measures how many images stay right wherever one small picture is stuck on them.

    What it measures:
        Accuracy with a trained patch at the worst place of each image, beside the mean over all places, and the same
        for a grey and for a noisy patch: what these lose is occlusion alone, the rest is the adversary's.

    Why it matters:
        A sticker is printed once and works on every object, from many sides, without access to the running system.

    How:
        Signed gradients of the margin train one square at random places on training images (half of the test images
        where no training data are given, which are then not measured). The patch and both controls are stuck at each
        place of an even grid on each measured image, and asked.

    Shapes:
        x: (n, c, h, w) or (n, h, w) with 1 or 3 channels; y: (n,) class indices.

    Units:
        Fractions of n; the area is a share of the image.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the difference to occlusion is paired by input. A better patch
        or a finer grid can only lower the accuracy.

    Cost:
        About 15 000 gradients for training and 250 answers an input with the standard plan.

    Sources:
        Brown, Mané, Roy, Abadi & Gilmer 2017, "Adversarial patch"; grey and noise controls are our own.

    Limits:
        The patch is not turned, scaled or printed; the probe eot measures that. It covers the object itself where it
        is stuck on it, which the controls account for.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = PatchParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: PatchParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Train a patch, scan with it and with the controls, and yield one finding."""
        if not 0 < params.area <= 0.5:
            raise UsageError(f"area is {params.area:g}; expected a share above 0 and at most 0.5")
        _, _, _, most = EFFORT[params.plan]
        training, data = _split(inputs, most)
        bounds = box(subject, data)
        if why := budget.stop():
            raise BudgetSpent(why)
        found = _measure(subject, training, data, params, bounds, budget, seed, observe)
        yield _finding(subject, params, data, found, bounds)


def _split(inputs: Inputs, most: int) -> tuple[Dataset, Dataset]:
    """Return images to train the patch on and images to measure it on, none in both."""
    test = inputs.role("test")
    images(test)
    if inputs.train is not None and inputs.train.x.shape[1:] == test.x.shape[1:]:
        data = chosen(test, most)
        return _without(chosen(inputs.train, len(inputs.train)), data), data
    every = chosen(test, len(test))
    half = len(every) // 2
    if not half:
        raise ShapeMismatch(f"{test.name!r} has one row; expected two, one to train the patch on", hint="give train=")
    first, second = (replace(every, x=every.x[p], y=every.y[p], indices=every.indices[p]) for p in _halves(half))
    return chosen(first, MOST_TRAINING), chosen(second, most)


def _without(training: Dataset, data: Dataset) -> Dataset:
    """Return the training rows that are not measured, where both are rows of one source."""
    if not data.sha256 or training.sha256 != data.sha256:
        return chosen(training, MOST_TRAINING)
    kept = ~np.isin(training.indices, data.indices)
    return chosen(
        replace(training, x=training.x[kept], y=training.y[kept], indices=training.indices[kept]), MOST_TRAINING
    )


def _halves(half: int) -> tuple[slice, slice]:
    return slice(None, half), slice(half, None)


def _pixels(data: Dataset) -> NDArray[np.float32]:
    return np.asarray(data.x, np.float32).reshape(len(data), -1, *data.x.shape[-2:])


def _measure(
    subject: WhiteBox,
    training: Dataset,
    data: Dataset,
    params: PatchParams,
    bounds: tuple[float, float],
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Patched:
    from torch import as_tensor

    from redan.kernels.patches.placing import corners, side_of
    from redan.kernels.patches.scanning import scan
    from redan.kernels.patches.universal import PatchSettings, train

    steps, starts, places, _ = EFFORT[params.plan]
    low, high = bounds
    pixels, shape = _pixels(data), data.x.shape[1:]
    y = np.asarray(data.y, np.int64)

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points.reshape(len(points), *shape))

    def predict(points: NDArray[np.float32]) -> NDArray[np.integer]:
        budget.charge(queries=len(points))
        return subject.labels(points.reshape(len(points), *shape))

    numbered(training, model(as_tensor(_pixels(training)[:1])).shape[1])
    clean = np.asarray(predict(pixels) == y)
    side = side_of(shape, params.area)
    target = None if params.target < 0 else params.target
    settings = PatchSettings(steps=steps, starts=starts, target=target)
    observe.started("patch", 4)
    trained = train(
        model,
        _pixels(training),
        np.asarray(training.y, np.int64),
        side=side,
        low=low,
        high=high,
        seed=seed,
        settings=settings,
        stop=budget.stop,
    )
    observe.advanced("patch", 1, 4, "trained")
    at = corners(shape, side, places)
    noise = uniform(sample_keys(seed, Patch.spec.id, [0]), trained.patch.shape, stream=0)[0]
    kinds = {
        TRAINED: trained.patch,
        "grey": np.full_like(trained.patch, (low + high) / 2),
        "noise": np.asarray(low + (high - low) * noise, np.float32),
    }
    scans = {}
    for done, (kind, patch) in enumerate(kinds.items()):
        scans[kind] = scan(predict, pixels, patch, at, stop=budget.stop)
        observe.advanced("patch", done + 2, 4, kind)
    observe.finished("patch", f"trained in {trained.gradient} samples")
    return Patched(trained=trained, at=at, scans=scans, clean=clean, pixels=pixels)


def _finding(
    subject: WhiteBox, params: PatchParams, data: Dataset, found: Patched, bounds: tuple[float, float]
) -> Finding:
    y = np.asarray(data.y, np.int64)
    partial = bool(found.partial)
    held = {kind: found.held(kind, y) for kind in found.scans}
    robust = rate("patch_accuracy", held[TRAINED], better="higher", partial=partial)
    occluded = held["grey"] & held["noise"]
    gain = paired(occluded, held[TRAINED])
    spent = float(found.trained.gradient + len(y) + sum((s.answers >= 0).sum() for s in found.scans.values()))
    numbers = (
        robust,
        rate("clean_accuracy", found.clean, better="higher"),
        rate("occlusion_accuracy", occluded, better="higher", partial=partial),
        estimated("adversarial_loss", gain, better="lower", partial=partial),
        estimated(
            "mean_patch_accuracy",
            share(found.scans[TRAINED].right(y).mean(axis=0)),
            better="higher",
            partial=partial,
        ),
        Quantity(name="queries", value=spent, unit="count", n=len(y), low=spent, high=spent),
    )
    verdict = "beyond noise" if gain.low > 0 else "within noise"
    detail = (
        f"A square of {found.trained.patch.shape[-1]} pixels ({percent(params.area)} of the image asked for) leaves "
        f"{percent(robust.value)} right at its worst place (95 % interval {percent(robust.low)} to "
        f"{percent(robust.high)}, n = {robust.n}); grey and noisy squares leave {percent(float(occluded.mean()))}. "
        f"The difference, {percent(gain.value)} ({percent(gain.low)} to {percent(gain.high)}), is {verdict}."
    )
    return Finding(
        rule=Patch.spec.id,
        threat=Patch.spec.threat,
        subject=subject.ref.name,
        title=f"{percent(robust.value)} of {robust.n} images withstand a patch on {percent(params.area)} of them",
        severity=THREAT.severity(robust),
        detail=f"{detail} It was cut short: {found.partial}." if partial else detail,
        params=params.as_dict(),
        quantities=numbers,
        tables=(_kinds(found, y), _map(found, y)),
        locations=(Location(uri=data.name),),
        evidence=_evidence(subject, data, found, bounds),
        remedies=REMEDIES,
        references=Patch.spec.references,
    )


def _kinds(found: Patched, y: NDArray[np.int64]) -> Table:
    """Return accuracy by kind of patch at the worst and at the mean place."""
    rows: list[tuple[Scalar, ...]] = [
        (kind, float(found.held(kind, y).mean()), float(scanned.right(y).mean()))
        for kind, scanned in found.scans.items()
    ]
    return Table(name="patches", columns=("patch", "worst place", "mean place"), rows=tuple(rows))


def _map(found: Patched, y: NDArray[np.int64]) -> Table:
    """Return accuracy with the trained patch by its place."""
    right = found.scans[TRAINED].right(y).mean(axis=1)
    top, left = np.unique(found.at[:, 0]), np.unique(found.at[:, 1])
    cells = right.reshape(len(top), len(left)).tolist()
    rows: list[tuple[Scalar, ...]] = [(f"top {t}", *row) for t, row in zip(top.tolist(), cells, strict=True)]
    return Table(
        name="accuracy_by_place",
        columns=("place", *(f"left {column}" for column in left.tolist())),
        rows=tuple(rows),
        draw="heat",
    )


def _evidence(subject: WhiteBox, data: Dataset, found: Patched, bounds: tuple[float, float]) -> tuple[Evidence, ...]:
    """Return the patch, each image with it at a place where it falls, and pictures."""
    from redan.kernels.patches.placing import stick

    low, high = bounds
    y = np.asarray(data.y, np.int64)
    patch, scanned = found.trained.patch, found.scans[TRAINED]
    right = scanned.right(y)
    place = np.argmin(right, axis=0)
    fell = ~found.held(TRAINED, y)
    # an image that is wrong without a patch needs none
    stuck = np.where(
        (fell & found.clean)[:, None, None, None], stick(found.pixels, patch, found.at[place]), found.pixels
    )
    blobs = [
        Evidence.of("patch", save_npy(patch), NPY, "the trained patch (c, s, s) on the inputs' own scale"),
        Evidence.of("patch-picture", _picture(patch, low, high), "image/png", "the trained patch"),
        Evidence.of("adversarial", save_npy(stuck.reshape(data.x.shape)), NPY, "every input, patched where it falls"),
        Evidence.of("success", save_npy(fell), NPY, "which inputs fall"),
        Evidence.of("indices", save_npy(data.indices), NPY, "rows of the source, in the same order"),
    ]
    names = subject.classes or data.classes
    for number, row in enumerate(np.flatnonzero(fell & found.clean)[:PICTURES].tolist()):
        shown = triptych(found.pixels[row], stuck[row], low=low, high=high, gain=1.0)
        now = label(int(scanned.answers[place[row], row]), names)
        top, left = found.at[place[row]].tolist()
        note = f"{label(int(y[row]), names)} → {now}, patch at row {top}, column {left}"
        blobs.append(Evidence.of(f"triptych-{number}", shown, "image/png", note))
    return tuple(blobs)


def _picture(patch: NDArray[np.float32], low: float, high: float) -> bytes:
    """Return the patch (c, s, s) as a PNG large enough to be seen."""
    pixels = np.round(255 * np.clip((patch - low) / (high - low), 0, 1)).astype(np.uint8)
    flat = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    factor = max(1, -(-SHOWN_PIXELS // flat.shape[0]))
    return png(np.repeat(np.repeat(flat, factor, axis=0), factor, axis=1))
