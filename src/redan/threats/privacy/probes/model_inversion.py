"""What the model shows of each class, by gradient ascent on the input, beside the class's mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.clustered import share
from redan.kernels.pictures import is_image, pairs
from redan.kernels.statistics import wilson
from redan.subjects.fit import check_fit
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.inversion.ascent import Inverted
    from redan.kernels.inversion.likeness import Likeness

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


STEPS = {"quick": 60, "standard": 200, "deep": 1000}
MOST_ROWS = 5000
MOST_CLASSES = 20
REMEDIES = (
    "answer with labels or rounded scores, and keep the weights secret",
    "train with differential privacy where a class is one person",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInversionParams(core_params.Params):
    """Parameters of the ascent.

    Attributes:
        plan: how many steps: quick, standard or deep.
    """

    plan: Literal["quick", "standard", "deep"] = "standard"


@probe(
    Spec(
        id="RDN-PRI-031",
        name="model-inversion",
        threat="privacy",
        title="Classes shown by gradient ascent, beside their means",
        source="Fredrikson et al. 2015, CCS, algorithm 1 (MI-Face)",
        needs=("gradients",),
        data=("train", "test"),
        cost="seconds",
        references=("atlas:AML.T0024.001", "owasp:ML03", "doi:10.1145/2810103.2813677"),
    )
)
class ModelInversion:
    """Measures whether the model can be made to show what its classes look like.

    What it measures:
        The share of classes whose inverted input is recognised by a judge that knows only rows the model never saw: the
        nearest class mean. Beside it a linear classifier's word, the likeness to the class's mean and to its nearest
        training row, against the nearest of as many rows that were not trained on.

    Why it matters:
        Where a class is a person, what a class looks like is that person's face. Where it is not, the picture is an
        average of a class and no record; the probe says which of the two it found.

    How:
        From the middle of the value range Adam climbs the probability of each class, with total variation (images) and
        a pull to the start.

    Shapes:
        x: (n, …) numbers; y: (n,) class indices, of the same classes on both sides.

    Units:
        Fractions of classes; Pearson correlations between −1 and 1.

    Error of the estimate:
        Wilson 95 % interval over classes; a longer or better climb can only show more.

    Cost:
        200 gradients for each class.

    Sources:
        Fredrikson, Jha & Ristenpart 2015, "Model inversion attacks that exploit confidence information and basic
        countermeasures".

    Limits:
        No generative prior, which shows more of high-resolution images. What is recognised is the class, and that is a
        leak only where the class itself is a secret.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ModelInversionParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: ModelInversionParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Climb towards each class and yield one finding."""
        train, test = (victims(inputs.role(role), MOST_ROWS) for role in ("train", "test"))
        for data in (train, test):
            check_fit(subject, data)
        classes = np.intersect1d(train.y, test.y).astype(np.int64)[:MOST_CLASSES]
        if len(classes) < 2:
            raise ShapeMismatch(
                f"{train.name!r} and {test.name!r} share {len(classes)} classes; expected at least 2",
                hint="use more rows: --limit",
            )
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("model-inversion", len(classes))
        found = _inverted(subject, train, classes, STEPS[params.plan], budget)
        observe.finished("model-inversion")
        yield _finding(subject, params, classes, found, train, test)


def _inverted(subject: WhiteBox, train: Dataset, classes: NDArray[np.int64], steps: int, budget: Budget) -> Inverted:
    import torch

    from redan.kernels.inversion.ascent import Ascent, invert

    def asked(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points)

    low, high = (torch.as_tensor(end, dtype=torch.float32) for end in _bounds(subject, train))
    start = ((low + high) / 2).expand(len(classes), *train.x.shape[1:])
    targets = torch.as_tensor(classes)
    logits = asked(start[:1])
    if int(classes.max()) >= logits.shape[1]:
        raise ShapeMismatch(f"{train.name!r} has class {int(classes.max())}; the model has {logits.shape[1]} classes")
    return invert(asked, targets, start, (low, high), Ascent(steps=steps), budget.stop)


def _bounds(subject: Subject, data: Dataset) -> tuple[Any, Any]:
    """Return the range of values: each column's for a table, else the model's or the data's."""
    if data.x.ndim == 2:
        low, high = data.x.min(axis=0), data.x.max(axis=0)
    else:
        known = subject.bounds or data.bounds or (data.x.min(), data.x.max())
        low, high = np.asarray(known[0]), np.asarray(known[1])
    return low, np.where(high > low, high, low + 1)


def _finding(
    subject: WhiteBox,
    params: ModelInversionParams,
    classes: NDArray[np.int64],
    found: Inverted,
    train: Dataset,
    test: Dataset,
) -> Finding:
    from redan.kernels.inversion.likeness import likeness

    low, high = _bounds(subject, train)
    shown = found.x.numpy()

    def flat(rows: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray((np.asarray(rows, np.float64) - low) / (high - low)).reshape(len(rows), -1)

    sides = [(flat(data.x), np.asarray(data.y, np.int64)) for data in (train, test)]
    alike = likeness(flat(shown), classes, sides[0], sides[1])
    partial = bool(found.reason)
    recognised = _rate("classes_recognised", alike.recognised, partial=partial)
    nearer = alike.to_train > alike.to_others
    single = _rate("nearer_to_a_training_row", nearer, partial=partial)
    verdict = (
        "They are nearer to single training rows than to others, which hints at records"
        if single.low > 0.5
        else "They are no nearer to single training rows than to others: averages of a class, not records"
    )
    detail = (
        f"{int(alike.recognised.sum())} of {len(classes)} inverted classes are recognised by the nearest class mean of "
        f"rows that the model never saw; guessing gives 1 in {len(classes)}. Correlation with the mean of the class's "
        f"training rows is {float(alike.to_mean.mean()):.2f} on average. {verdict}."
    )
    return Finding(
        rule=ModelInversion.spec.id,
        threat=ModelInversion.spec.threat,
        subject=subject.ref.name,
        title=f"gradient ascent shows {int(alike.recognised.sum())} of {len(classes)} classes recognisably",
        severity=THREAT.severity(recognised),
        detail=f"{detail} It was cut short: {found.reason}." if partial else detail,
        params=params.as_dict(),
        quantities=(recognised, _rate("classes_recognised_linearly", alike.linear, partial=partial), single),
        tables=(_table(subject, classes, found, alike),),
        locations=(Location(uri=train.name),),
        evidence=_evidence(subject, shown, classes, train),
        remedies=REMEDIES,
        references=ModelInversion.spec.references,
    )


def _rate(name: str, held: NDArray[np.bool_], *, partial: bool) -> Quantity:
    low, high = wilson(int(held.sum()), len(held))
    return Quantity(
        name=name,
        value=share(held.astype(float)).value,
        unit="fraction",
        n=len(held),
        low=low,
        high=high,
        better="lower",
        partial=partial,
    )


def _table(subject: Subject, classes: NDArray[np.int64], found: Inverted, alike: Likeness) -> Table:
    names = [subject.classes[c] if c < len(subject.classes) else str(c) for c in classes.tolist()]
    columns = (found.confidence.tolist(), alike.to_mean, alike.to_train, alike.to_others, alike.recognised)
    rows = [
        (name, *(round(float(v), 3) for v in values), "yes" if known else "no")
        for name, *values, known in zip(names, *columns, strict=True)
    ]
    heads = ("class", "model's probability", "like class mean", "like a training row", "like another row", "recognised")
    return Table(name="classes", columns=heads, rows=tuple(rows))


def _evidence(
    subject: Subject, shown: NDArray[Any], classes: NDArray[np.int64], train: Dataset
) -> tuple[Evidence, ...]:
    """Return the inverted inputs, and for images a picture of class means above them."""
    blobs = [Evidence.of("inverted", save_npy(shown), NPY, "one input for each class, in the order of the table")]
    if is_image(train.x.shape[1:]):
        means = np.stack([train.x[np.asarray(train.y) == c].mean(axis=0) for c in classes.tolist()])
        low, high = (float(end) for end in _bounds(subject, train))
        drawn = pairs(means, shown, low=low, high=high)
        blobs.append(
            Evidence.of("classes", drawn, "image/png", "class means of the training data above, inverted below")
        )
    return tuple(blobs)
