"""A plugin for Redan: how many answers of a model are a close call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core.catalogue import probe
from redan.core.finding import Finding, Quantity
from redan.core.params import Params
from redan.core.probe import Spec
from redan.kernels.statistics import wilson
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginParams(Params):
    """What counts as close, and how many inputs are asked about at once."""

    ratio: float = 0.8
    batch: int = 256


@probe(
    Spec(
        id="ACME-EVA-001",
        name="margin",
        threat="evasion",
        title="Share of inputs whose second class is nearly as likely as the first",
        source="Scheffer, Decomain and Wrobel 2001, Active hidden Markov models for information extraction (margin)",
        needs=("scores",),
        data=("test",),
    )
)
class Margin:
    """Counts inputs whose runner-up has at least ``ratio`` of the probability of the answer.

    What it measures:
        The share of test inputs that are a close call.

    Why it matters:
        A close call is where a small change of the input is most likely to change the answer.

    How:
        One forward pass; logits become probabilities by softmax; the two largest are compared.

    Shapes:
        Input: (n, …) in batches. Output: one finding with one number.

    Units:
        Fraction of the test inputs.

    Error of the estimate:
        95 % Wilson interval over the inputs.

    Cost:
        One prediction an input.

    Sources:
        Scheffer, Decomain and Wrobel 2001, where the margin of a prediction is introduced.

    Limits:
        A wide margin is no defence: gradient attacks cross it. Use the cascade to measure that.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[Params]] = MarginParams

    def run(
        self,
        subject: Any,
        inputs: Inputs,
        params: MarginParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Count until the data or the budget ends."""
        data = inputs.role("test")
        close = asked = 0
        for start in range(0, len(data), params.batch):
            if budget.stop():
                break
            rows = data.x[start : start + params.batch]
            budget.charge(queries=len(rows))
            close += int(close_calls(subject.scores(rows), subject.score_kind, params.ratio).sum())
            asked += len(rows)
            observe.advanced("margin", asked, len(data))
        if asked:
            yield self.finding(close, asked, params, name=subject.ref.name, partial=asked < len(data))

    def finding(self, close: int, asked: int, params: MarginParams, *, name: str, partial: bool) -> Finding:
        """Say the number with its interval."""
        low, high = wilson(close, asked)
        share = Quantity(
            name="close_calls",
            value=close / asked,
            unit="fraction",
            n=asked,
            low=low,
            high=high,
            better="lower",
            partial=partial,
        )
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{share.value:.1%} of {asked} answers are a close call",
            severity=THREAT.severity(share),
            params={
                "ratio": params.ratio
            },  # not the batch: it changes no result, so it must not change the fingerprint
            quantities=(share,),
        )


def close_calls(scores: np.ndarray, kind: str, ratio: float) -> np.ndarray:
    """Tell for each row of (n, classes) scores whether the runner-up is close; returns (n,) bool."""
    if kind == "logits":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    second, first = np.sort(scores, axis=1)[:, -2:].T
    return second >= ratio * first
