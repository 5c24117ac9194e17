"""Any Python callable: numpy in, scores or labels out; so functions of TensorFlow and JAX as well."""

from __future__ import annotations

import inspect
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.subject import Binding, Component, SubjectRef
from redan.subjects.answering import Answering
from redan.subjects.columns import AnswerForm
from redan.subjects.failures import answering
from redan.subjects.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from redan.core.subject import Capability


class CallableSubject(Answering):
    """A function from (n, …) inputs to (n,) labels or (n, classes) scores.

    What it returns is told by ``answers``, or by its answer to a sample. Without either only labels are offered, taken
    from whatever it returns.

    Args:
        function: called with a numpy array of at most ``batch`` rows.
        options: what its owner knows about it.
        sample: a few inputs to learn from what it returns.
        components: parts already known; else the source text of the function, where Python has it.
        binding: how it was reached.
    """

    def __init__(
        self,
        function: Callable[[NDArray[Any]], Any],
        *,
        options: Options | None = None,
        sample: NDArray[Any] | None = None,
        components: tuple[Component, ...] = (),
        binding: Binding | None = None,
    ) -> None:
        self._function = function
        self._options = options or Options()
        name = self._options.name or getattr(function, "__name__", type(function).__name__)
        self._ref = SubjectRef(
            name=name,
            kind="callable",
            components=components or _source_of(function, name),
            binding=binding or Binding(),
        )
        self._form = AnswerForm(name, self._options)
        self._offers_scores = self._options.answers == "scores"
        if sample is not None and self._options.answers != "labels":
            self._learn(np.asarray(sample))

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels always; scores when it is known that the function returns them."""
        return frozenset({"labels", "scores"} if self._offers_scores else {"labels"})

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64; of scores the highest column."""
        found = [self._form.labels(answer, n) for answer, n in self._answers(x)]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes).

        Raises:
            SubjectFailed: it answered labels, or nothing that is a prediction.
        """
        rows = [self._form.scores(answer, n) for answer, n in self._answers(x)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)))

    def _answers(self, x: NDArray[Any]) -> Iterator[tuple[NDArray[Any], int]]:
        x = np.asarray(x)
        for start in range(0, len(x), self._options.batch):
            batch = x[start : start + self._options.batch]
            with answering(self._ref.name, batch.shape):
                # a copy, since a function may write into what it is given
                answer = _plain(self._function(batch.copy()))
            yield answer, len(batch)

    def _learn(self, sample: NDArray[Any]) -> None:
        for answer, n in self._answers(sample[: self._options.batch]):
            if not self._form.holds_labels(answer):
                self._form.scores(answer, n)
                self._offers_scores = True


def _plain(answer: Any) -> NDArray[Any]:
    """Bring tensors of any library into numpy: through their own detach, cpu or numpy where they have one."""
    for step in ("detach", "cpu", "numpy"):
        method = getattr(answer, step, None)
        answer = method() if callable(method) else answer
    return np.asarray(answer)


def _source_of(function: Any, name: str) -> tuple[Component, ...]:
    try:
        text = inspect.getsource(function).encode()
    except (OSError, TypeError):
        return ()
    return (Component(role="code", uri=name, sha256=sha256(text).hexdigest(), size_bytes=len(text)),)
