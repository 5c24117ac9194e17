"""Expectation over transformation: a change that still fools when the camera moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.clustered import paired, share
from redan.kernels.draws import sample_keys
from redan.kernels.pictures import triptych
from redan.threats.evasion.measured import percent, rate
from redan.threats.evasion.sampling import chosen, estimated, images, numbered
from redan.threats.evasion.setting import setting
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.views.attack import Lens
    from redan.threats.evasion.measured import Setting

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


EFFORT = {"quick": (10, 4, 10, 30), "standard": (40, 8, 30, 100), "deep": (100, 16, 100, 300)}
"""Plan → (steps, views a step, fresh views that judge, most inputs)."""
PICTURES = 4
KINDS = ("no change", "attacked without views", "attacked over views")
REMEDIES = (
    "adversarial training: redan.harden(net, against='evasion')",
    "ask about several frames and let the answers vote; it lowers what single views may do",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EotParams(core_params.Params):
    """Parameters of expectation over transformation.

    Attributes:
        eps: Linf radius on the inputs' own scale; 8/255 of the box when absent.
        degrees: most rotation to either side.
        zoom: most enlargement or reduction, a factor above 1.
        shift: most shift along each axis, as a share of it.
        light: most change of brightness, as a share of the box.
        noise: standard deviation of the camera's noise, as a share of the box.
        plan: how many steps and views: quick, standard or deep.
    """

    eps: float | None = None
    degrees: float = 15.0
    zoom: float = 1.1
    shift: float = 0.05
    light: float = 0.1
    noise: float = 0.02
    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Viewed:
    """Which views are right.

    Attributes:
        right: kind of change → (views, n) bool over the same fresh views.
        clean: (n,) whether the image itself is right.
        moved: (n, c, h, w) images attacked over views.
        seen: (n, c, h, w) one view of each of them.
        queries: samples that the model saw.
        partial: why it was cut short, else empty.
    """

    right: dict[str, NDArray[np.bool_]]
    clean: NDArray[np.bool_]
    moved: NDArray[np.float32]
    seen: NDArray[np.float32]
    queries: int
    partial: str

    def each(self, kind: str) -> NDArray[np.float64]:
        """Return the share of right views of each input, (n,)."""
        return np.asarray(self.right[kind].mean(axis=0), np.float64)


@probe(
    Spec(
        id="RDN-EVA-053",
        name="eot",
        threat="evasion",
        title="Accuracy over camera views of images that were changed to fool all of them",
        source="Athalye et al. 2018, ICML, equation 2",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0041", "owasp:ML01", "arxiv:1707.07397"),
        default=False,
    )
)
class Eot:
    """Measures how many views of a changed image stay right when it is turned, moved, lit and noisy.

    What it measures:
        Accuracy over fresh random views of images changed within Linf ε to fool views in general, beside the same
        views of unchanged images and of images attacked without views.

    Why it matters:
        An ordinary adversarial example often breaks when a camera moves; one made for views does not, and can be
        printed. Only the difference to the unchanged images is the adversary's.

    How:
        Signed steps with momentum along the mean gradient over several random views a step. The judging views were
        seen by no attack, and are the same for all three kinds.

    Shapes:
        x: (n, c, h, w) or (n, h, w) with 1 or 3 channels; y: (n,) class indices.

    Units:
        ε on the inputs' own scale; fractions of views.

    Error of the estimate:
        95 % score interval with the effective sample size of inputs, since each input is seen many times; the drop is
        paired by input.

    Cost:
        About 320 gradients and 90 answers an input with the standard plan.

    Sources:
        Athalye, Engstrom, Ilyas & Kwok 2018, "Synthesizing robust adversarial examples".

    Limits:
        The views are flat: no perspective, no printer's colours, no lens. The change covers the whole image.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = EotParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: EotParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack over views, judge by fresh ones, and yield one finding."""
        _refuse(params)
        data = chosen(inputs.role("test"), EFFORT[params.plan][3])
        images(data)
        where = setting(subject, data, "linf", params.eps)
        if why := budget.stop():
            raise BudgetSpent(why)
        found = _measure(subject, data, params, where, budget, seed, observe)
        yield _finding(subject, replace(params, eps=where.eps), data, found, where)


def _refuse(params: EotParams) -> None:
    """Insist on views that exist.

    Raises:
        UsageError: they do not.
    """
    spreads = (params.degrees, params.shift, params.light, params.noise)
    if min(spreads) < 0 or params.zoom < 1 or params.degrees > 180 or params.shift > 0.5:
        raise UsageError(
            "degrees must lie within 0 and 180, shift within 0 and 0.5, zoom at or above 1, others above 0"
        )


def _measure(
    subject: WhiteBox,
    data: Dataset,
    params: EotParams,
    where: Setting,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Viewed:
    import torch

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.views.attack import ViewSettings, judged, perturb
    from redan.kernels.views.sampling import view_keys

    steps, views, judges, _ = EFFORT[params.plan]
    shape = data.x.shape[1:]

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points.reshape(len(points), *shape))

    oracle = Oracle(model)
    lens = _lens(params, where)
    x = torch.as_tensor(np.asarray(data.x, np.float32).reshape(len(data), -1, *shape[-2:]))
    y = torch.as_tensor(np.asarray(data.y, np.int64))
    keys = sample_keys(seed, Eot.spec.id, data.indices)
    logits = oracle.logits(x)
    numbered(data, logits.shape[1])
    clean = (logits.argmax(1) == y).numpy()
    right, moved, partial = {}, x, ""
    observe.started("eot", len(KINDS))
    for done, (kind, number) in enumerate(zip(KINDS, (None, 0, views), strict=True)):
        moved = x
        if number is not None:
            settings = ViewSettings(steps=steps, views=number)
            moved, why = perturb(oracle, x, y, keys, lens=lens, eps=where.eps, settings=settings, stop=budget.stop)
            partial = partial or why
        right[kind] = judged(oracle, moved, y, keys, lens=lens, views=judges).numpy()
        observe.advanced("eot", done + 1, len(KINDS), kind)
    observe.finished("eot", f"{right[KINDS[2]].mean():.1%} of views right")
    seen = lens(moved, view_keys(keys, 0)).numpy()
    return Viewed(
        right=right, clean=clean, moved=moved.numpy(), seen=seen, queries=oracle.counts.queries, partial=partial
    )


def _lens(params: EotParams, where: Setting) -> Lens:
    from redan.kernels.views.attack import Lens
    from redan.kernels.views.sampling import Spread

    spread = Spread(
        degrees=params.degrees, zoom=params.zoom, shift=params.shift, light=params.light, noise=params.noise
    )
    return Lens(spread=spread, low=where.bounds[0], high=where.bounds[1])


def _finding(subject: WhiteBox, params: EotParams, data: Dataset, found: Viewed, where: Setting) -> Finding:
    partial = bool(found.partial)
    none, plain, over = (found.each(kind) for kind in KINDS)
    viewed = estimated("viewed_accuracy", share(over), better="higher", partial=partial)
    drop = paired(none, over)
    count = float(found.queries)
    numbers = (
        viewed,
        rate("clean_accuracy", found.clean, better="higher"),
        estimated("unchanged_viewed_accuracy", share(none), better="higher"),
        estimated("plain_viewed_accuracy", share(plain), better="higher", partial=partial),
        estimated("viewed_drop", drop, better="lower", partial=partial),
        Quantity(name="queries", value=count, unit="count", n=len(over), low=count, high=count),
    )
    verdict = "beyond noise" if drop.low > 0 else "within noise"
    detail = (
        f"Of {len(found.right[KINDS[2]])} fresh views of each image changed within linf {where.eps:g}, "
        f"{percent(viewed.value)} are right (95 % interval {percent(viewed.low)} to {percent(viewed.high)}, "
        f"n = {viewed.n} inputs); of the same views of the unchanged images {percent(float(none.mean()))}, and of "
        f"images attacked without views {percent(float(plain.mean()))}. The drop of {percent(drop.value)} "
        f"({percent(drop.low)} to {percent(drop.high)}) is {verdict}."
    )
    return Finding(
        rule=Eot.spec.id,
        threat=Eot.spec.threat,
        subject=subject.ref.name,
        title=f"{percent(viewed.value)} of views of images changed within linf {where.eps:g} are right",
        severity=THREAT.severity(viewed),
        detail=f"{detail} It was cut short: {found.partial}." if partial else detail,
        params=params.as_dict(),
        quantities=numbers,
        tables=(_table(found),),
        locations=(Location(uri=data.name),),
        evidence=_evidence(data, found, where),
        remedies=REMEDIES,
        references=Eot.spec.references,
    )


def _table(found: Viewed) -> Table:
    """Return for each kind of change how many views are right, and how many inputs fall in half of their views."""
    rows: list[tuple[Scalar, ...]] = [
        (kind, float(right.mean()), float((right.mean(axis=0) <= 0.5).mean()), float((~right.any(axis=0)).mean()))
        for kind, right in found.right.items()
    ]
    heads = ("change", "views right", "inputs wrong in half of their views", "inputs wrong in all views")
    return Table(name="views", columns=heads, rows=tuple(rows))


def _evidence(data: Dataset, found: Viewed, where: Setting) -> tuple[Evidence, ...]:
    """Return the changed images, and pictures of those that fool most views, each with one of its views."""
    low, high = where.bounds
    right = found.each(KINDS[2])
    blobs = [
        Evidence.of("adversarial", save_npy(found.moved.reshape(data.x.shape)), NPY, "every input, changed"),
        Evidence.of("views_right", save_npy(found.right[KINDS[2]]), NPY, "(views, n): which fresh views are right"),
        Evidence.of("indices", save_npy(data.indices), NPY, "rows of the source, in the same order"),
    ]
    order = [int(i) for i in np.argsort(right, kind="stable") if found.clean[i]][:PICTURES]
    for number, row in enumerate(order):
        picture = triptych(found.moved[row], found.seen[row], low=low, high=high, gain=1.0)
        note = f"changed, one view of it, and what the view does; {percent(1 - float(right[row]))} of views are wrong"
        blobs.append(Evidence.of(f"triptych-{number}", picture, "image/png", note))
    return tuple(blobs)
