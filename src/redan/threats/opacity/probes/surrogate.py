"""A model that people can read beside the one that decides, and how far the two agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.statistics import wilson
from redan.subjects.failures import needing
from redan.threats.opacity.rows import names_of
from redan.threats.opacity.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.explain.surrogates import Surrogate

    class Labelled(Subject, Labels):
        """A subject with labels."""


LEAST = 20
MOST_ROWS = 20_000
MOST_COLUMNS = 500
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateParams(core_params.Params):
    """Parameters of the readable model.

    Attributes:
        kind: ``tree``, ``scorecard`` or ``both``, of which the one that agrees more is the headline.
        leaves: most leaves of the tree.
    """

    kind: Literal["tree", "scorecard", "both"] = "both"
    leaves: int = 16


@probe(
    Spec(
        id="RDN-OPA-002",
        name="surrogate",
        threat="opacity",
        title="A readable model that answers like this one, and how often it does",
        source="Craven & Shavlik 1996, NIPS, section 2 (fidelity)",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("nist:ai-rmf-measure-2.9", "https://eur-lex.europa.eu/eli/reg/2024/1689/oj"),
    )
)
class SurrogateProbe:
    """Fits a small tree and a scorecard to the model's answers and measures how often they agree on other rows.

    What it measures:
        Fidelity: the share of rows, not used for fitting, on which the readable model answers like the model. Beside
        it what always answering the most frequent class would reach, and the accuracy of both models.

    Why it matters:
        Where a model of a dozen rules answers nearly always alike, those rules are an honest summary, and perhaps the
        better model to run. Where it does not, nobody should explain the model by rules.

    How:
        The training rows, or where there are none half of the test rows by their index, fit a decision tree with few
        leaves and a logistic scorecard on binned columns, whose points are whole numbers; the test rows, or their
        other half, measure.

    Shapes:
        x: (n, d) with d up to 500 columns; images are left out.

    Units:
        Shares of rows.

    Error of the estimate:
        Wilson 95 % interval for the rows that measured. The better of two kinds is chosen on those rows too.

    Cost:
        One answer a row, and the fit of two small models.

    Sources:
        Craven & Shavlik 1996, "Extracting tree-structured representations of trained networks", section 2; Thomas,
        Edelman & Crook 2002, "Credit scoring and its applications", section 4.5.

    Limits:
        Agreement on the whole may hide disagreement for a group; a surrogate tells what the model does, not why.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SurrogateParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: SurrogateParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Fit on some rows, measure on others, and yield one finding."""
        if params.leaves < 2:
            raise UsageError(f"leaves is {params.leaves}; a tree has at least 2")
        fitting, held = _apart(inputs, seed, self.spec.id)
        observe.started(self.spec.name, len(fitting) + len(held))
        answers, held_answers = _answers(subject, fitting.x, budget), _answers(subject, held.x, budget)
        if len(answers) < len(fitting) or len(held_answers) < len(held):
            return
        with needing(self.spec.name):
            found = _surrogates(
                (fitting, answers), (held, held_answers), subject, params, derive(seed, self.spec.id) % 2**31
            )
        observe.finished(self.spec.name)
        most = int(np.bincount(answers).argmax())
        yield _finding(self.spec, subject, params, held, found, held_answers, most)


def _apart(inputs: Inputs, seed: int, key: str) -> tuple[Dataset, Dataset]:
    test = _checked(inputs.role("test"))
    if inputs.train is not None and np.shape(inputs.train.x)[1:] == np.shape(test.x)[1:]:
        return _checked(inputs.train), test
    fits = np.array([derive(seed, key, int(i)) & 1 == 0 for i in test.indices], bool)
    return test.rows(fits), test.rows(~fits)


def _checked(data: Dataset) -> Dataset:
    shape = np.shape(data.x)[1:]
    if len(shape) != 1 or shape[0] > MOST_COLUMNS:
        raise Skipped(f"a readable model needs a table of at most {MOST_COLUMNS} columns; an input has shape {shape}")
    if len(data) < LEAST:
        raise Skipped(f"{data.name!r} has {len(data)} rows to use; a surrogate needs at least {LEAST}")
    if np.asarray(data.x).dtype.kind not in "biuf" or not np.isfinite(np.asarray(data.x)).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return data.rows(np.argsort(data.indices, kind="stable")[:MOST_ROWS])


def _answers(subject: Labelled, x: Any, budget: Budget) -> Any:
    parts = []
    for start in range(0, len(x), AT_ONCE):
        part, left = x[start : start + AT_ONCE], budget.left_queries()
        if budget.stop() or (left is not None and left < len(part)):
            break
        budget.charge(queries=len(part))
        parts.append(np.asarray(subject.labels(part)))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _surrogates(
    fitting: tuple[Dataset, Any], held: tuple[Dataset, Any], subject: Subject, params: SurrogateParams, seed: int
) -> list[Surrogate]:
    from redan.kernels.explain.surrogates import scorecard, tree

    data = fitting[0]
    columns, classes = names_of(data, np.shape(data.x)[1]), subject.classes or data.classes
    parts = (*(np.asarray(data.x, np.float64), fitting[1]), *(np.asarray(held[0].x, np.float64), held[1]))
    found = []
    if params.kind != "scorecard":
        found.append(tree(*parts, leaves=params.leaves, columns=columns, classes=classes, seed=seed))
    if params.kind != "tree" and len(np.unique(fitting[1])) > 1:
        found.append(scorecard(*parts, columns=columns, classes=classes))
    if not found:
        raise Skipped("the model answers one class only, so there is no scorecard")
    return sorted(found, key=lambda one: -float(one.agrees.mean()))


def _finding(
    spec: Spec,
    subject: Subject,
    params: SurrogateParams,
    held: Dataset,
    found: list[Surrogate],
    answers: Any,
    most: int,
) -> Finding:
    best, n = found[0], len(held)
    share = _share("surrogate_fidelity", int(best.agrees.sum()), n)
    always = _share("majority_fidelity", int((answers == most).sum()), n)
    right = _share("clean_accuracy", int((answers == held.y).sum()), n)
    size = f"{best.size} {'leaves' if best.kind == 'tree' else 'lines'}"
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"a {best.kind} of {size} answers like the model on {share.value:.1%} of {n} other rows",
        severity=THREAT.severity(share),
        detail=(
            f"95 % interval {share.low:.1%} to {share.high:.1%}; always answering the most frequent class would agree "
            f"on {always.value:.1%}. The rules themselves are among the evidence."
        ),
        params=params.as_dict(),
        quantities=(share, always, right),
        tables=(
            Table(
                name="surrogates",
                columns=("kind", "size", "fidelity"),
                rows=tuple((one.kind, one.size, round(float(one.agrees.mean()), 4)) for one in found),
            ),
        ),
        locations=(Location(uri=held.name),),
        evidence=tuple(Evidence.of(one.kind, one.text.encode(), "text/plain", "the readable model") for one in found),
        remedies=("where it agrees nearly always, consider running the readable model",),
        references=spec.references,
    )


def _share(name: str, hits: int, n: int) -> Quantity:
    low, high = wilson(hits, n)
    return Quantity(name=name, value=hits / n, unit="fraction", n=n, low=low, high=high, better="higher")
