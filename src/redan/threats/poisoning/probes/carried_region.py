"""Small regions that carry a class onto other images: triggers and shortcuts, found where explanations point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.draws import sample_keys
from redan.kernels.pictures import is_image
from redan.kernels.statistics import wilson
from redan.subjects.failures import answering, needing
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.explain.regions import Carried

    class Explained(Subject, Labels, Gradients):
        """A subject with labels whose answers can be explained."""


LEAST = 100
ALWAYS = 0.75
"""A region that takes along its class onto this share of other images decides by itself …"""
BY_CHANCE = 0.25
"""… where a region at random does so for at most this share."""
AT_ONCE = 500
SHOWN = 8
QUERIES_EACH = 33 + 48
"""Answers and gradients an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedRegionParams(core_params.Params):
    """Parameters of the search for regions.

    Attributes:
        images: most images to look at.
        size: side of a region as a share of the image's shorter side.
    """

    images: int = 500
    size: float = 0.18


@probe(
    Spec(
        id="RDN-POI-031",
        name="carried-region",
        threat="poisoning",
        title="Small regions that decide by themselves",
        source="Chou, Tramèr & Pellegrino 2020, IEEE S&P workshops (SentiNet), sections IV-B and IV-C",
        needs=("labels", "gradients"),
        data=("train",),
        cost="seconds",
        references=("atlas:AML.T0018", "atlas:AML.T0020", "arxiv:1812.00292"),
    )
)
class CarriedRegion:
    """Cuts out the region that an explanation points at and pastes it onto images of other classes.

    What it measures:
        The share of training images whose most important small region takes their class along onto three quarters of
        the other images it is pasted on, while a region at a random place does not.

    Why it matters:
        No small corner of an honest image should decide by itself what other images are. One that does is a planted
        trigger, a watermark, a frame or another shortcut, and anybody can paste it.

    How:
        Integrated gradients explain each image's answer; the square with the largest sum of attribution is pasted onto
        24 images that the model takes for other classes, beside a square at a random place of the same image.

    Shapes:
        x: (n, 1|3, h, w) images of at least 8 by 8.

    Units:
        Shares of images.

    Error of the estimate:
        Wilson 95 % interval for the share of images.

    Cost:
        32 gradients and 48 answers an image.

    Sources:
        Chou, Tramèr & Pellegrino 2020, "SentiNet: detecting localized universal attacks against deep learning
        systems", sections IV-B and IV-C; Sundararajan, Taly & Yan 2017 for the explanation.

    Limits:
        Sees what is small and in one place; a blend over the whole image stays unseen (activation-likelihood looks
        for that). In rows without the trigger there is nothing to find. Simple drawings have honest regions that
        decide, so a few rows are normal.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CarriedRegionParams

    def run(
        self,
        subject: Explained,
        inputs: Inputs,
        params: CarriedRegionParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Try the first training images, and yield one finding."""
        data = _images(inputs, params)
        x: Any = np.asarray(data.x)
        size = max(2, round(params.size * min(x.shape[2:])))
        left, needed = budget.left_queries(), QUERIES_EACH * len(x)
        if budget.stop() or (left is not None and left < needed):
            return
        observe.started(self.spec.name, len(x))
        with needing(self.spec.name), answering(subject.ref.name, x.shape):
            values, answered = _explained(subject, x, budget)
            if len(np.unique(answered)) < 2:
                raise Skipped("the model answers one class only, so no region can be pasted onto another")
            from redan.kernels.explain.regions import carried, strongest

            keys = sample_keys(seed, self.spec.id, data.indices)

            def labels(images: Any) -> Any:
                budget.charge(queries=len(images))
                return np.asarray(subject.labels(images.astype(x.dtype, copy=False)))

            found = carried(labels, x, answered, strongest(values, size), size=size, keys=keys)
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, data, found, answered, size)


def _images(inputs: Inputs, params: CarriedRegionParams) -> Dataset:
    data = inputs.role("train")
    shape = np.shape(data.x)[1:]
    if len(shape) != 3 or not is_image(shape) or min(shape[1:]) < 8:
        raise Skipped(f"regions are looked for in images (1 or 3, h, w) of at least 8 by 8; an input has {shape}")
    if not 0 < params.size <= 0.5:
        raise UsageError(f"size is {params.size:g}; expected a share of the image up to 0.5")
    if len(data) < LEAST or params.images < LEAST:
        raise Skipped(f"{min(len(data), params.images)} images of {data.name!r}; expected at least {LEAST}")
    if not np.isfinite(np.asarray(data.x)).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return data.rows(np.argsort(data.indices, kind="stable")[: params.images])


def _explained(subject: Explained, x: Any, budget: Budget) -> tuple[Any, Any]:
    import torch

    from redan.kernels.explain.networks import STEPS, integrated_gradients

    answered = np.concatenate([np.asarray(subject.labels(x[i : i + AT_ONCE])) for i in range(0, len(x), AT_ONCE)])
    images = torch.as_tensor(x)
    baseline = images.mean(dim=0, keepdim=True)
    budget.charge(queries=len(x) * (STEPS + 1))
    told = integrated_gradients(subject.logits, images, torch.as_tensor(answered), baseline=baseline)
    return told.values, answered


def _finding(
    spec: Spec,
    subject: Subject,
    params: CarriedRegionParams,
    data: Dataset,
    found: Carried,
    answered: Any,
    size: int,
) -> Finding:
    by_itself = (found.taken >= ALWAYS * found.hosts) & (found.random <= BY_CHANCE * found.hosts)
    hits, n = int(by_itself.sum()), len(by_itself)
    low, high = wilson(hits, n)
    share = Quantity(
        name="carried_region_share", value=hits / n, unit="fraction", n=n, low=low, high=high, better="lower"
    )
    places = _places(found, answered, by_itself)
    same = f"; {places[0][3]} of them at one place for class {_class(data, places[0][0])}" if places else ""
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"in {hits} of {n} training images a region of {size} by {size} pixels decides by itself{same}",
        severity=THREAT.severity(share),
        detail=(
            f"Pasted onto {found.hosts} images of other classes, the region takes its class along onto at least "
            f"{ALWAYS:.0%} of them, and a region at a random place onto at most {BY_CHANCE:.0%}. Look at the pictures: "
            "a mark that has nothing to do with the class is a trigger or a shortcut."
        ),
        params=params.as_dict(),
        quantities=(share,),
        tables=(
            Table(
                name="places",
                columns=("class", "row", "column", "images"),
                rows=tuple((_class(data, c), top, left, count) for c, top, left, count in places[:SHOWN]),
            ),
        ),
        locations=(Location(uri=data.name),),
        evidence=tuple(_evidence(data, found, by_itself, size)),
        remedies=("look at the images listed and where they came from", "filter-and-retrain"),
        references=spec.references,
    )


def _places(found: Carried, answered: Any, chosen: Any) -> list[tuple[int, int, int, int]]:
    """Return (class, row, column, images), most images first; places are rounded to two pixels."""
    counts: dict[tuple[int, int, int], int] = {}
    for c, (top, left) in zip(answered[chosen].tolist(), found.corner[chosen].tolist(), strict=True):
        key = (int(c), top // 2 * 2, left // 2 * 2)
        counts[key] = counts.get(key, 0) + 1
    return sorted(((*key, count) for key, count in counts.items()), key=lambda one: (-one[3], one[:3]))


def _evidence(data: Dataset, found: Carried, chosen: Any, size: int) -> Iterator[Evidence]:
    yield Evidence.of("rows", save_npy(data.indices[chosen]), NPY, "rows of the source whose region decides")
    if not chosen.any():
        return
    from redan.kernels.explain.drawing import sheet

    picked = np.flatnonzero(chosen)[np.argsort(-found.taken[chosen], kind="stable")][:SHOWN]
    mask = np.zeros((len(picked), *data.x.shape[1:]))
    for i, (top, left) in enumerate(found.corner[picked].tolist()):
        mask[i, :, top : top + size, left : left + size] = 1.0
    low, high = data.bounds or (float(np.min(data.x)), float(np.max(data.x)) or 1.0)
    yield Evidence.of(
        "regions", sheet(data.x[picked], [mask], low=low, high=high), "image/png", "image; its region red"
    )


def _class(data: Dataset, index: int) -> str:
    return data.classes[index] if 0 <= index < len(data.classes) else str(index)
