"""Rows reconstructed from the gradients that participants of joint training share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.pictures import is_image, pairs
from redan.kernels.statistics import median_interval, wilson
from redan.subjects.fit import check_fit
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject, Trainable
    from redan.kernels.gradient_leakage.attack import Receiver
    from redan.kernels.gradient_leakage.updates import Update

    class WhiteBox(Subject, Trainable, Labels):
        """A subject whose network can be trained further, so that it has updates to share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to look: updates of each kind, their sizes, steps of the two searches."""

    updates: int
    sizes: tuple[int, ...]
    unfold_steps: int
    match_steps: int


PLANS = {
    "quick": Plan(updates=3, sizes=(1,), unfold_steps=100, match_steps=40),
    "standard": Plan(updates=6, sizes=(1, 4), unfold_steps=300, match_steps=200),
    "deep": Plan(updates=12, sizes=(1, 2, 4, 8), unfold_steps=500, match_steps=1500),
}
PLAIN = "as computed"
CLIP = 1.0
PICTURES = 6
REMEDIES = (
    "share only sums of many participants' updates (secure aggregation)",
    "clip each update and add noise before it is sent, by an accountant of differential privacy",
    "use large batches and several local steps before anything is sent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientLeakageParams(core_params.Params):
    """Parameters of the reconstruction.

    Attributes:
        threshold_db: peak signal-to-noise ratio from which a row counts as reconstructed.
        plan: how many updates and how long to search: quick, standard or deep.
    """

    threshold_db: float = 20.0
    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What was done to updates before they were sent, and what came of it.

    Attributes:
        name: of the defence.
        size: rows in an update.
        db: (n,) ratio of the best reconstruction of each row.
        found: (n, …) those reconstructions.
        by: how they were found.
        labels: classes that were read off rightly, and how many there were; None where they cannot be read.
        partial: whether the budget ended before all was done.
    """

    name: str
    size: int
    db: NDArray[np.float64]
    found: NDArray[Any]
    by: str
    labels: tuple[int, int] | None
    partial: bool


@probe(
    Spec(
        id="RDN-PRI-032",
        name="gradient-leakage",
        threat="privacy",
        title="Rows reconstructed from shared gradients",
        source="Geiping et al. 2020, equation 4 and proposition 3.1; Zhao et al. 2020, iDLG, section 3.1",
        needs=("trainable",),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0024.001", "owasp:ML03", "arxiv:2003.14053", "arxiv:2001.02610", "arxiv:1906.08935"),
        default=False,
    )
)
class GradientLeakage:
    """Measures how many rows can be rebuilt from the gradients that training together would send.

    What it measures:
        The share of rows whose reconstruction from one shared gradient reaches a signal-to-noise ratio, for updates of
        one row and of several, and again after clipping with noise, signs only, and the largest entries only.

    Why it matters:
        Federated learning sends gradients in place of data; the gradient of a small batch is often the data itself.

    How:
        Updates of single rows and of batches are computed on a copy of the network. The gradient of the first linear
        layer gives its input exactly; where other layers lie before it, inputs are searched for that it would see so.
        Beside it, inverting gradients: inputs whose update has the same direction, with classes read off the last bias.
        For one row the attacker keeps whichever fits the update better; for a batch each row takes its best candidate.

    Shapes:
        x: (n, …) numbers; y: (n,) class indices. Total variation is used for images only.

    Units:
        Fractions of rows; dB of peak signal to mean squared error, over the value range (each column's for tables).

    Error of the estimate:
        Wilson 95 % interval over rows; order statistics for medians. A longer search can only rebuild more.

    Cost:
        Two searches for each update: for a convolutional network of 28 × 28 about one CPU minute in all.

    Sources:
        Phong et al. 2018; Zhu, Liu & Han 2019, "Deep leakage from gradients"; Zhao, Mopuri & Bilen 2020, "iDLG";
        Geiping, Bauermeister, Dröge & Moeller 2020, "Inverting gradients".

    Limits:
        One step on one batch with the network in evaluation mode, weights as given; several local steps and layers that
        mix rows leak less. Parameters that are frozen in the model are taken as trained. A server that changes the
        network on purpose gets more. Noise is measured at three strengths, not accounted as a privacy budget.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = GradientLeakageParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: GradientLeakageParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack updates of every kind and yield one finding."""
        plan = PLANS[params.plan]
        if not params.threshold_db > 0:
            raise UsageError(f"threshold_db is {params.threshold_db:g}; expected a ratio above 0 dB")
        data = victims(inputs.role("test"), plan.updates * max(plan.sizes))
        check_fit(subject, data)
        if why := budget.stop():
            raise BudgetSpent(why)
        found = _measured(subject, inputs.role("test"), data, plan, budget, seed, observe)
        yield _finding(subject, params, data, found)


def _measured(
    subject: WhiteBox, every: Dataset, data: Dataset, plan: Plan, budget: Budget, seed: int, observe: Observer
) -> list[Setting]:
    """Attack updates of each size, then updates of one row after each defence."""
    receiver = _receiver(subject, every, data, plan)
    tasks: list[tuple[str, int]] = [(PLAIN, size) for size in plan.sizes if size <= len(data)]
    tasks += [(name, 1) for name in _defences()]
    observe.started("gradient-leakage", len(tasks))
    found: list[Setting] = []
    for done, (name, size) in enumerate(tasks):
        if found and budget.stop():
            break
        found.append(_attacked(receiver, data, name, size, plan.updates, budget, seed))
        observe.advanced("gradient-leakage", done + 1, len(tasks), name)
    observe.finished("gradient-leakage")
    if len(found) < len(tasks):
        found[0] = replace(found[0], partial=True)
    return found


def _receiver(subject: WhiteBox, every: Dataset, data: Dataset, plan: Plan) -> Receiver:
    import torch

    from redan.kernels.gradient_leakage.attack import Receiver
    from redan.kernels.gradient_leakage.closed_form import door_of
    from redan.kernels.gradient_leakage.matching import Matching

    net = copy.deepcopy(subject.module).eval().requires_grad_(requires_grad=True)
    shape = tuple(data.x.shape[1:])
    low, high = _bounds(subject, every)
    like = next(p for p in net.parameters() if p.is_floating_point())
    with torch.no_grad():
        n_classes = net(torch.as_tensor(data.x[:1], dtype=like.dtype)).shape[1]
    return Receiver(
        net=net,
        door=door_of(net, shape),
        shape=shape,
        low=torch.as_tensor(low, dtype=like.dtype),
        high=torch.as_tensor(high, dtype=like.dtype),
        n_classes=n_classes,
        unfold_steps=plan.unfold_steps,
        matching=Matching(steps=plan.match_steps),
    )


def _bounds(subject: Subject, data: Dataset) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the range of values: the model's, else the data's; for a table each column's own."""
    if data.x.ndim == 2:
        low, high = data.x.min(axis=0), data.x.max(axis=0)
    else:
        known = subject.bounds or data.bounds or (data.x.min(), data.x.max())
        low, high = np.asarray(known[0]), np.asarray(known[1])
    return low, np.where(high > low, high, low + 1)


def _unchanged(update: Update, _: torch.Generator) -> Update:
    return update


def _defences() -> dict[str, Callable[[Update, torch.Generator], Update]]:
    from redan.kernels.gradient_leakage.updates import clipped_noisy, largest, signs

    def noisy(multiplier: float) -> Callable[[Update, torch.Generator], Update]:
        return lambda update, draws: clipped_noisy(update, norm=CLIP, noise_multiplier=multiplier, generator=draws)

    return {
        f"clipped to {CLIP:g}, noise 0.001": noisy(0.001),
        f"clipped to {CLIP:g}, noise 0.01": noisy(0.01),
        f"clipped to {CLIP:g}, noise 0.1": noisy(0.1),
        "signs only": lambda update, _: signs(update),
        "largest 10 %": lambda update, _: largest(update, share=0.1),
        "largest 1 %": lambda update, _: largest(update, share=0.01),
    }


def _attacked(
    receiver: Receiver, data: Dataset, name: str, size: int, updates: int, budget: Budget, seed: int
) -> Setting:
    """Attack that many updates of one kind."""
    import torch

    from redan.kernels.gradient_leakage.attack import reconstruct
    from redan.kernels.gradient_leakage.fidelity import best_db
    from redan.kernels.gradient_leakage.labels import agreeing
    from redan.kernels.gradient_leakage.updates import update_of

    defence = _defences().get(name, _unchanged)
    ratios, rebuilt, means = [], [], set()
    right, asked, partial = 0, 0, False
    for start in range(0, min(updates, len(data) // size) * size, size):
        if start and budget.stop():
            partial = True
            break
        rows = data.rows(slice(start, start + size))
        x, y = torch.as_tensor(rows.x, dtype=receiver.low.dtype), torch.as_tensor(np.asarray(rows.y, np.int64))
        draws = torch.Generator().manual_seed(derive(seed, GradientLeakage.spec.id, name, int(rows.indices[0])) % 2**63)
        shared = defence(update_of(receiver.net, x, y), draws)
        keys = sample_keys(seed, GradientLeakage.spec.id, rows.indices)
        begin = torch.as_tensor(uniform(keys, receiver.shape, stream=0), dtype=receiver.low.dtype)
        budget.charge(queries=size)
        one = reconstruct(receiver, shared, y, begin, budget.stop)
        best, place = best_db(one.rows, x, receiver.high - receiver.low)
        ratios.append(best.numpy())
        rebuilt.append(one.rows[place].numpy())
        means.add(one.by)
        partial = partial or one.partial
        if one.classes is not None:
            right, asked = right + agreeing(one.classes, y), asked + size
    return Setting(
        name=name,
        size=size,
        db=np.concatenate(ratios).astype(np.float64),
        found=np.concatenate(rebuilt),
        by=", ".join(sorted(means)),
        labels=(right, asked) if asked else None,
        partial=partial,
    )


def _finding(subject: WhiteBox, params: GradientLeakageParams, data: Dataset, found: list[Setting]) -> Finding:
    first, partial = found[0], any(each.partial for each in found)
    rebuilt = _rate("rows_reconstructed", int((first.db >= params.threshold_db).sum()), len(first.db), partial)
    low, high = median_interval(first.db.tolist())
    middle = float(np.median(first.db))
    ratio = Quantity(
        name="median_psnr",
        value=middle,
        unit="db",
        n=len(first.db),
        low=max(low, 0.0) if np.isfinite(low) else float(min(0.0, first.db.min())),
        high=high if np.isfinite(high) else 100.0,
        better="lower",
        partial=partial,
    )
    numbers = [rebuilt, ratio]
    if first.labels is not None:
        numbers.append(_rate("classes_read_off", *first.labels, partial))
    batches = [s for s in found if s.name == PLAIN]
    detail = (
        f"From updates of one row {rebuilt.value:.0%} of {rebuilt.n} rows come back with at least "
        f"{params.threshold_db:g} dB (95 % interval {rebuilt.low:.0%} to {rebuilt.high:.0%}), median {middle:.1f} dB, "
        f"by {first.by}. The table says what is left after each defence. A longer search can only rebuild more."
    )
    return Finding(
        rule=GradientLeakage.spec.id,
        threat=GradientLeakage.spec.threat,
        subject=subject.ref.name,
        title=f"{rebuilt.value:.0%} of {rebuilt.n} rows are rebuilt from the gradient of one row",
        severity=THREAT.severity(rebuilt),
        detail=detail,
        params=params.as_dict(),
        quantities=tuple(numbers),
        series=(_by_size(batches, params.threshold_db),),
        tables=(_table(found, params.threshold_db),),
        locations=(Location(uri=data.name),),
        evidence=_evidence(subject, data, first),
        remedies=REMEDIES,
        references=GradientLeakage.spec.references,
    )


def _rate(name: str, hits: int, n: int, partial: bool) -> Quantity:
    low, high = wilson(hits, n)
    return Quantity(
        name=name, value=hits / n, unit="fraction", n=n, low=low, high=high, better="lower", partial=partial
    )


def _by_size(batches: list[Setting], threshold_db: float) -> Series:
    hits = [int((s.db >= threshold_db).sum()) for s in batches]
    bands = [wilson(k, len(s.db)) for k, s in zip(hits, batches, strict=True)]
    return Series(
        name="rows_reconstructed_by_batch_size",
        x=tuple(float(s.size) for s in batches),
        y=tuple(k / len(s.db) for k, s in zip(hits, batches, strict=True)),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=tuple(len(s.db) for s in batches),
        x_unit="rows",
        y_unit="fraction",
    )


def _table(found: list[Setting], threshold_db: float) -> Table:
    """Return what each defence leaves, for updates of one row, and each size of batch without any."""
    rows: list[tuple[Scalar, ...]] = []
    for each in found:
        hits, n = int((each.db >= threshold_db).sum()), len(each.db)
        low, high = wilson(hits, n)
        read = "" if each.labels is None else f"{each.labels[0]} of {each.labels[1]}"
        span = f"{low:.2f} to {high:.2f}"
        rows.append((each.name, each.size, n, hits / n, span, round(float(np.median(each.db)), 2), read, each.by))
    heads = ("update", "rows", "n", "rebuilt", "95 % interval", "median dB", "classes", "by")
    return Table(name="defences", columns=heads, rows=tuple(rows))


def _evidence(subject: Subject, data: Dataset, first: Setting) -> tuple[Evidence, ...]:
    """Return originals above reconstructions as a picture, where rows are images."""
    shape = tuple(data.x.shape[1:])
    if not is_image(shape):
        return ()
    low, high = _bounds(subject, data)
    shown = pairs(data.x[: len(first.found)][:PICTURES], first.found[:PICTURES], low=float(low), high=float(high))
    note = "rows above, what was rebuilt from the gradient of each below"
    return (Evidence.of("reconstructions", shown, "image/png", note),)
