"""The monitors of one model at work together, with references learnt from the first rows where no file brings one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.threats.operation.askers import Askers
from redan.threats.operation.drifting import BASELINE_ROWS
from redan.threats.operation.monitors.accuracy_drop import Accuracy, AccuracyDrop
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.finding import Finding

BASELINE_TRUTHS = 500
"""Truths that accuracy is held against where no file says what was measured."""
_NUMBERS = "fiub"
KINDS = (InputDrift, AnswerDrift, AccuracyDrop)


class Operation:
    """Drift of inputs and answers, and accuracy, of one model.

    Args:
        subject: what findings are about.
        model: digest of the model.
        monitors: those that were opened from files, of any kind; others than `KINDS` are passed over.
        columns: names of the columns of inputs, or empty.
        drift: whether references of drift are learnt where none was opened.
        performance: whether a baseline of accuracy is learnt where none was opened.
    """

    def __init__(
        self,
        subject: str,
        model: str,
        monitors: Sequence[Any] = (),
        *,
        columns: tuple[str, ...] = (),
        drift: bool,
        performance: bool,
    ) -> None:
        self._subject, self._model, self._columns = subject, model, columns
        self._drift, self._performance = drift, performance
        self._inputs = next((each for each in monitors if isinstance(each, InputDrift)), None)
        self._answers = next((each for each in monitors if isinstance(each, AnswerDrift)), None)
        self._accuracy = next((each for each in monitors if isinstance(each, AccuracyDrop)), None)
        self._baseline: list[tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any] | None]] = []
        self._n_baseline, self._first_truths = 0, [0, 0]
        self._looked, self._askers = True, Askers()
        self.n_seen = 0
        """Answers that were seen."""
        self.index: dict[str, float] = {}
        """Largest stability index of a column, by what drifts, at the last look."""

    @property
    def accuracy(self) -> tuple[int, int]:
        """Answers with a truth that were right, and all of them, since the baseline."""
        return self._accuracy.counted if self._accuracy is not None else (0, 0)

    @property
    def n_truths(self) -> int:
        """Truths that were told, those of the baseline too."""
        return self._first_truths[1] + self.accuracy[1]

    @property
    def judging(self) -> tuple[str, ...]:
        """Names of the monitors that have a reference and something to hold against it."""
        drifting = [each for each in (self._inputs, self._answers) if each is not None and each.n > 0]
        names = [each.spec.name for each in drifting]
        return (*names, AccuracyDrop.spec.name) if self.accuracy[1] > 0 else tuple(names)

    def see(
        self,
        x: NDArray[Any] | None,
        labels: NDArray[Any],
        scores: NDArray[Any] | None,
        time_s: float,
        *,
        asked: Mapping[str, int] | None = None,
    ) -> None:
        """Take answers of one time: inputs (n, …) or None, labels (n,), scores (n, k) or None, and rows by client."""
        if not self._drift:
            self.n_seen += len(labels)
            return
        if asked:
            self._askers.count(asked, time_s)
        inputs, answers = self._inputs, self._answers
        learning = answers is None or (inputs is None and x is not None and x.dtype.kind in _NUMBERS)
        k = BASELINE_ROWS - self._n_baseline
        if learning and len(labels) > k:
            for part in (slice(None, k), slice(k, None)):
                self.see(_cut(x, part), labels[part], _cut(scores, part), time_s)
            return
        self.n_seen += len(labels)
        if inputs is not None and x is not None:
            inputs.count_rows(x, time_s)
        if answers is not None:
            answers.count_answers(labels, scores, time_s)
        if learning:
            self._learn(x if inputs is None else None, labels, scores)
        self._looked = False

    def truths(self, right: int, n: int, time_s: float) -> None:
        """Count answers of a time whose truth is known now."""
        if self._accuracy is not None:
            self._accuracy.count_truths(right, n, time_s)
            self._looked = False
        elif self._performance:
            self._first_truths = [self._first_truths[0] + right, self._first_truths[1] + n]
            known_right, known = self._first_truths
            if known >= BASELINE_TRUTHS:
                made = Accuracy(subject=self._subject, model=self._model, right=known_right, n=known)
                self._accuracy = AccuracyDrop(made)

    def look(self) -> Iterator[Finding]:
        """Judge drift and accuracy, if anything came since the last look."""
        if self._looked:
            return
        self._looked = True
        drifting = {"inputs": self._inputs, "answers": self._answers}
        self.index = {what: monitor.index() for what, monitor in drifting.items() if monitor is not None}
        for monitor in drifting.values():
            for finding in monitor.findings() if monitor is not None else ():
                yield replace(finding, detail=f"{finding.detail} {self._askers.most()}".rstrip())
        if self._accuracy is not None:
            yield from self._accuracy.findings()

    def _learn(self, x: NDArray[Any] | None, labels: NDArray[Any], scores: NDArray[Any] | None) -> None:
        """Take the first rows for the references that no file brought."""
        self._baseline.append((x, labels, scores))
        self._n_baseline += len(labels)
        if self._n_baseline < BASELINE_ROWS:
            return
        told = np.concatenate([each[1] for each in self._baseline])
        rows = _whole([each[0] for each in self._baseline])
        sure = _whole([each[2] for each in self._baseline])
        if self._inputs is None and rows is not None and rows.dtype.kind in _NUMBERS:
            self._inputs = InputDrift.fitted(rows, self._subject, self._model, columns=self._columns)
        if self._answers is None:
            self._answers = AnswerDrift.fitted(told, sure, self._subject, self._model)
        self._baseline, self._n_baseline = [], 0


def _whole(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _cut(rows: NDArray[Any] | None, part: slice) -> NDArray[Any] | None:
    return None if rows is None else rows[part]
