"""A sensitive attribute inferred from the model's answers, beside what imputation alone gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped, UnknownName
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.kernels.clustered import paired, share
from redan.kernels.probabilities import probabilities_of
from redan.kernels.statistics import difference, wilson
from redan.subjects.failures import needing
from redan.subjects.fit import check_fit
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.inversion.attributes import Guesses

    class Answering(Subject, Labels):
        """A subject with labels, and perhaps scores."""


LEAST = 20
MOST_VALUES = 8
MOST_COLUMNS = 4
ENDING = 1e-6
"""Least probability that a label or a score is taken for."""
REMEDIES = (
    "train without columns that the task does not need",
    "train with differential privacy, regularisation or early stopping, so that members stand out less",
    "answer with labels or rounded scores",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeInferenceParams(core_params.Params):
    """Parameters of the inference.

    Attributes:
        attribute: the one column to infer; the sensitive ones, else those of few whole values, when empty.
        rows: most rows of either side.
        trees: in each forest of the attacker.
    """

    attribute: str = ""
    rows: int = 800
    trees: int = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribute:
    """What is to be guessed.

    Attributes:
        name: of the column.
        place: of the column among the model's inputs; −1 where the model does not take it.
        values: (v,) those that occur, in order.
        truth: (n,) each row's value, as a place among them.
    """

    name: str
    place: int
    values: NDArray[Any]
    truth: NDArray[np.int64]


@probe(
    Spec(
        id="RDN-PRI-030",
        name="attribute-inference",
        threat="privacy",
        title="Sensitive attributes inferred from the model's answers, beside plain imputation",
        source="Fredrikson et al. 2014, USENIX Security, section 3; Yeom et al. 2018, CSF, section 4",
        needs=("labels",),
        data=("train", "test"),
        cost="seconds",
        references=("atlas:AML.T0024.001", "owasp:ML03", "arxiv:1709.01604"),
    )
)
class AttributeInference:
    """Measures what the model's answers add to what can be guessed about a person anyway.

    What it measures:
        For each attribute, how often a classifier guesses it from the other columns and the class with the model's
        answers and without them; the difference is the advantage. Both on members and on others.

    Why it matters:
        An attacker who knows most of a record can ask the model about the rest. What imputation alone tells is no leak
        of the model, which is why it is subtracted.

    How:
        The attacker knows the class and every other column. Where the model takes the attribute it is asked about the
        record with each possible value, else about the record as it is. Two forests of the same kind, with and without
        these answers, guess each record's value by five-fold cross-validation. The value under which the model errs
        least is counted beside them.

    Shapes:
        x: (n, columns) numbers; y: (n,) classes. One finding for each attribute of two to eight values.

    Units:
        Fractions of records; the advantage is a difference of two of them.

    Error of the estimate:
        The advantage is paired by record, with a 95 % interval; members against others by Newcombe's. The folds share
        training rows, which the intervals do not count.

    Cost:
        One answer for each record and value, and ten forests of 40 trees for each attribute.

    Sources:
        Fredrikson, Lantz, Jha, Lin, Page & Ristenpart 2014, "Privacy in pharmacogenetics"; Yeom, Giacomelli,
        Fredrikson & Jha 2018, "Privacy risk in machine learning", section 4.

    Limits:
        An advantage on others too means that the model teaches about the population, not about its members. Attributes
        of many values and text are not guessed. The attacker's forest has seen the attribute of other records.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AttributeInferenceParams

    @needing("attribute inference")
    def run(
        self,
        subject: Answering,
        inputs: Inputs,
        params: AttributeInferenceParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Guess each attribute and yield one finding for it."""
        train, test = (victims(inputs.role(role), params.rows, least=LEAST) for role in ("train", "test"))
        for data in (train, test):
            check_fit(subject, data)
        wanted = _attributes(inputs, params, train, test)
        observe.started("attribute-inference", len(wanted))
        for done, attribute in enumerate(wanted):
            if why := budget.stop():
                if not done:
                    raise BudgetSpent(why)
                return
            guesses = _guessed(subject, attribute, train, test, params.trees, budget, seed)
            yield _finding(subject, params, attribute, guesses, len(train), inputs.role("train").name)
            observe.advanced("attribute-inference", done + 1, len(wanted), attribute.name)
        observe.finished("attribute-inference")


def _attributes(inputs: Inputs, params: AttributeInferenceParams, train: Dataset, test: Dataset) -> list[Attribute]:
    """Return what was named, else the sensitive columns, else columns of few whole values.

    Raises:
        Skipped: rows are no rows of a table, or none of its columns can be guessed.
        UnknownName: no such column.
    """
    if train.x.ndim != 2 or train.x.shape[1:] != test.x.shape[1:]:
        raise Skipped(f"an input of {train.name!r} has shape {tuple(train.x.shape[1:])}; expected a row of a table")
    names = list(train.columns or (str(i) for i in range(train.x.shape[1])))
    outside = [name for name in train.groups if name in test.groups and name not in names]
    if params.attribute and params.attribute not in [*names, *outside]:
        raise UnknownName.among(f"column in {train.name}", params.attribute, [*names, *outside])
    sensitive = [name for name in inputs.sensitive if name in names or name in outside]
    asked = [params.attribute] if params.attribute else [*sensitive, *(n for n in outside if n not in sensitive)]
    found = [_attribute(name, names, train, test) for name in asked or names]
    fit = [each for each in found if 2 <= len(each.values) <= MOST_VALUES and (asked or _whole(each.values))]
    if not fit:
        raise Skipped(
            f"no column of {train.name!r} that describes people has 2 to {MOST_VALUES} values",
            hint="name the columns: [data] sensitive = ['sex'], or --param attribute=sex",
        )
    return fit[:MOST_COLUMNS]


def _attribute(name: str, names: list[str], train: Dataset, test: Dataset) -> Attribute:
    if name in names:
        place = names.index(name)
        column = np.concatenate([train.x[:, place], test.x[:, place]])
    else:
        place, column = -1, np.concatenate([train.groups[name], test.groups[name]])
    values, truth = np.unique(column, return_inverse=True)
    return Attribute(name=name, place=place, values=values, truth=truth.astype(np.int64))


def _whole(values: NDArray[Any]) -> bool:
    return bool((values == np.floor(values)).all())


def _guessed(
    subject: Answering,
    attribute: Attribute,
    train: Dataset,
    test: Dataset,
    trees: int,
    budget: Budget,
    seed: int,
) -> Guesses:
    """Ask the model and guess, members first."""
    from redan.core.seeds import derive
    from redan.kernels.inversion.attributes import guess

    x = np.concatenate([train.x, test.x])
    y = np.concatenate([np.asarray(train.y), np.asarray(test.y)]).astype(np.int64)
    classes = np.unique(y)
    label = (y[:, None] == classes[None]).astype(np.float64)
    if attribute.place < 0:
        known = np.hstack([x, label])
        answers, loss = _logs(subject, x, budget), None
    else:
        known = np.hstack([np.delete(x, attribute.place, axis=1), label])
        asked = []
        for value in attribute.values.tolist():
            completed = x.copy()
            completed[:, attribute.place] = value
            asked.append(-_logs(subject, completed, budget)[np.arange(len(y)), y])
        answers = loss = np.stack(asked, axis=1)
    # members keep even numbers and others odd ones, so that no two rows of the pool share one
    keys = np.concatenate([2 * np.asarray(train.indices), 2 * np.asarray(test.indices) + 1])
    root = derive(seed, AttributeInference.spec.id, attribute.name)
    return guess(known, answers, attribute.truth, keys, candidate_loss=loss, trees=trees, seed=root)


def _logs(subject: Answering, x: NDArray[Any], budget: Budget) -> NDArray[np.float64]:
    """Return the logarithms of what the model says of each class, (n, classes); of labels where there are no scores."""
    budget.charge(queries=len(x))
    if "scores" not in subject.capabilities:
        labels = subject.labels(x)
        n_classes = max(len(subject.classes), int(labels.max()) + 1)
        return np.asarray(np.log(np.clip(np.eye(n_classes)[labels], ENDING, None)))
    scored: Any = subject
    told = probabilities_of(scored.scores(x), scored.score_kind)
    return np.asarray(np.log(np.clip(told, ENDING, None)))


def _finding(
    subject: Answering,
    params: AttributeInferenceParams,
    attribute: Attribute,
    guesses: Guesses,
    n_members: int,
    source: str,
) -> Finding:
    imputed, attacked = guesses.imputed == guesses.truth, guesses.attacked == guesses.truth
    gain = paired(attacked[:n_members], imputed[:n_members])
    advantage = Quantity(
        name="attribute_advantage",
        value=gain.value,
        unit="fraction",
        n=gain.n,
        low=gain.low,
        high=gain.high,
        better="lower",
    )
    numbers = [
        advantage,
        _rate("attack_accuracy", attacked[:n_members]),
        _rate("imputation_accuracy", imputed[:n_members]),
        _rate("attack_accuracy_on_others", attacked[n_members:]),
        _gap(attacked, n_members),
    ]
    if len(guesses.lowest_loss):
        numbers.append(_rate("lowest_loss_accuracy", (guesses.lowest_loss == guesses.truth)[:n_members]))
    noise = "beyond noise" if gain.low > 0 else "within noise"
    detail = (
        f"With the model's answers {numbers[1].value:.1%} of {n_members} members are guessed rightly, without "
        f"{numbers[2].value:.1%}: they add {gain.value:+.1%} (95 % interval {gain.low:+.1%} to {gain.high:+.1%}), "
        f"{noise}. Members are guessed {numbers[4].value:+.1%} more often than others ({numbers[4].low:+.1%} to "
        f"{numbers[4].high:+.1%})."
    )
    return Finding(
        rule=AttributeInference.spec.id,
        threat=AttributeInference.spec.threat,
        subject=subject.ref.name,
        title=f"the model's answers add {gain.value:+.1%} to guessing {attribute.name!r}",
        severity=THREAT.severity(advantage) if gain.low > 0 else Severity.INFO,
        detail=detail,
        params={**params.as_dict(), "attribute": attribute.name},
        quantities=tuple(numbers),
        tables=(_table(attribute, guesses, n_members),),
        locations=(Location(uri=source, address=f"column {attribute.name}"),),
        remedies=REMEDIES,
        references=AttributeInference.spec.references,
    )


def _rate(name: str, right: NDArray[np.bool_]) -> Quantity:
    low, high = wilson(int(right.sum()), len(right))
    return Quantity(
        name=name, value=float(right.mean()), unit="fraction", n=len(right), low=low, high=high, better="lower"
    )


def _gap(right: NDArray[np.bool_], n_members: int) -> Quantity:
    """Return how much more often members are guessed than others."""
    members, others = right[:n_members], right[n_members:]
    gap = difference((int(others.sum()), len(others)), (int(members.sum()), len(members)))
    return Quantity(
        name="member_gap", value=gap.value, unit="fraction", n=len(right), low=gap.low, high=gap.high, better="lower"
    )


def _table(attribute: Attribute, guesses: Guesses, n_members: int) -> Table:
    """Return accuracy for each value of the attribute, members and others."""
    rows = []
    for side, chosen in (("members", slice(None, n_members)), ("others", slice(n_members, None))):
        truth = guesses.truth[chosen]
        for place, value in enumerate(attribute.values.tolist()):
            held = truth == place
            if held.any():
                with_model = share((guesses.attacked[chosen] == truth)[held].astype(float)).value
                without = share((guesses.imputed[chosen] == truth)[held].astype(float)).value
                rows.append(
                    (
                        f"{side}, {value:g}" if isinstance(value, float) else f"{side}, {value}",
                        int(held.sum()),
                        with_model,
                        without,
                    )
                )
    return Table(name="by_value", columns=("rows", "n", "with the model", "imputation"), rows=tuple(rows))
