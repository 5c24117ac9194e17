"""Counterfactual flips: does the answer change when only the sensitive column does?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Skipped
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.statistics import wilson
from redan.threats.bias.asking import favourable_class, labelled
from redan.threats.bias.flipping import versions_of
from redan.threats.bias.people import groups_of
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.threats.bias.asking import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterfactualFlipParams(core_params.Params):
    """Parameters of counterfactual flips.

    Attributes:
        favourable: class that people want; −1: the last.
    """

    favourable: int = -1


@probe(
    Spec(
        id="RDN-BIA-004",
        name="counterfactual-flip",
        threat="bias",
        title="Decisions that change with nothing but the sensitive column",
        source="Galhotra, Brun & Meliou 2017, ESEC/FSE, section 3.2 (causal discrimination)",
        needs=("labels",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1709.03221",),
    )
)
class CounterfactualFlip:
    """Gives every person each value of the sensitive column in turn and counts whose decision changes.

    What it measures:
        The share of people for whom some value of the column, all else as it was, gives another class; and which value
        leads to the favourable class how often.

    Why it matters:
        Here the model decides by the column itself: that is unequal treatment of one person, which most laws forbid
        whatever the averages say.

    How:
        All rows are asked once with each value that occurs. Columns of 0 and 1 named ``sex=male`` or ``sex_male`` are
        set together.

    Shapes:
        test: a table (n, d) with named columns; the sensitive column among them, with 2 to 12 values.

    Units:
        Fraction of people.

    Error of the estimate:
        Wilson interval.

    Cost:
        As many answers a row as the column has values.

    Sources:
        Galhotra, Brun & Meliou 2017, "Fairness testing: testing software for discrimination", section 3.2.

    Limits:
        Only the column changes, not what it causes in others: a model that never sees the column passes, though
        proxies may stand for it (``proxies``). Columns that are no inputs are not tested here.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CounterfactualFlipParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: CounterfactualFlipParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about every version of every row and yield one finding a sensitive column that is an input."""
        data = inputs.role("test")
        found = {column: versions_of(data, column) for column in groups_of(data, inputs)}
        if not any(found.values()):
            raise Skipped(
                "no sensitive column is an input of 2 to 12 values, so there is none to flip",
                hint="a model that is not given the column can still use proxies of it: --probe proxies",
            )
        for column, versions in found.items():
            if versions and (answers := self._answers(subject, data, versions, budget, observe)):
                yield self._finding(subject.ref.name, column, answers, len(data), params)

    def _answers(
        self, subject: Labelled, data: Dataset, versions: dict[str, NDArray[Any]], budget: Budget, observe: Observer
    ) -> dict[str, NDArray[Any]]:
        """Return the answers to the rows that were asked with every value."""
        found = {
            value: labelled(subject, replace(data, x=x), budget, observe, f"{self.spec.name} {value}").answers
            for value, x in versions.items()
        }
        n = min(len(answers) for answers in found.values())
        return {value: answers[:n] for value, answers in found.items()} if n else {}

    def _finding(
        self, name: str, column: str, answers: dict[str, NDArray[Any]], n_rows: int, params: CounterfactualFlipParams
    ) -> Finding:
        table = np.stack(list(answers.values()))
        favourable = favourable_class(params.favourable, max(2, int(table.max()) + 1))
        changed, n = int((table != table[0]).any(axis=0).sum()), table.shape[1]
        low, high = wilson(changed, n)
        measured = Quantity(
            name="flipped_rate",
            value=changed / n,
            unit="fraction",
            n=n,
            low=low,
            high=high,
            better="lower",
            partial=n < n_rows,
        )
        rows = []
        for value, own in answers.items():
            hits = int((own == favourable).sum())
            rows.append((value, n, round(hits / n, 4), *(round(end, 4) for end in wilson(hits, n))))
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{column}: {measured.value:.1%} of decisions change when only this column does",
            severity=THREAT.severity(measured),
            detail=(
                f"{changed} of {n} people would get another class with another value of {column}, all else equal (95 % "
                f"interval {low:.1%} to {high:.1%}). The table tells how often each value leads to class {favourable}."
            ),
            params=params.as_dict(),
            quantities=(measured,),
            tables=(
                Table(
                    name="everybody_with_this_value",
                    columns=(column, "n", f"class {favourable}", "low", "high"),
                    rows=tuple(rows),
                    draw="heat",
                ),
            ),
            locations=(Location(uri="test data", address=column),),
            remedies=("train without the column: [data] aside", "RDN-BIA-102 correlation-removal"),
            references=self.spec.references,
        )
