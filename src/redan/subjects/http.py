"""Prediction endpoints over HTTP, with the standard library alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from redan.core.errors import Contained
from redan.core.settings import Endpoint
from redan.core.subject import Binding, SubjectRef
from redan.subjects.answering import Answering
from redan.subjects.columns import AnswerForm
from redan.subjects.options import Options
from redan.subjects.wire.bodies import answer_array, request_body, spoken_at
from redan.subjects.wire.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.core.subject import Capability


class HttpSubject(Answering):
    """A model that others run; nothing of it is seen but its answers.

    Labels are always offered. Scores are offered when ``answers`` says so or the answer to the sample holds them.

    Args:
        url: address that predictions are posted to.
        endpoint: shape of bodies, time limit, retries, rate.
        options: what is known about the model.
        template: JSON text in which the string ``"$x"`` stands for the inputs; replaces ``endpoint.format``.
        sample: a few inputs to ask about at once.

    Raises:
        UsageError: the address is no HTTP address or the token is missing.
        SubjectFailed: nothing answers there.

    Attributes:
        n_queries: inputs asked about so far, retries included.
        n_answered: those that were answered.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: Endpoint | None = None,
        options: Options | None = None,
        template: str = "",
        sample: NDArray[Any] | None = None,
    ) -> None:
        self._endpoint = endpoint or Endpoint()
        if self._endpoint.format == "auto":
            self._endpoint = replace(self._endpoint, format=spoken_at(urlsplit(url).path))
        self._options = options or Options()
        self._template = template
        self._connection = Connection(url, self._endpoint)
        name = self._options.name or self._connection.shown
        self._ref = SubjectRef(
            name=name,
            kind="http",
            binding=Binding(kind="endpoint", uri=self._connection.shown, detail=self._connection.certificate),
        )
        self._form = AnswerForm(name, self._options)
        self._offers_scores = self._options.answers == "scores"
        self.n_queries = self.n_answered = 0
        if sample is not None and self._options.answers != "labels":
            try:
                self._learn(sample)
            except BaseException:
                # nobody will hold this object, so nobody else could close its connection
                self.close()
                raise

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is: an address and, over TLS, the digest of its certificate."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels always; scores when it is known that the endpoint answers them."""
        return frozenset({"labels", "scores"} if self._offers_scores else {"labels"})

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64; of scores the highest column."""
        found = [self._form.labels(answer, n) for answer, n in self._ask(x)]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes)."""
        rows = [self._form.scores(answer, n) for answer, n in self._ask(x)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)))

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        self._connection.close()

    def _learn(self, sample: NDArray[Any]) -> None:
        """Ask once, to learn whether the answers hold scores."""
        for answer, n in self._ask(sample):
            if not self._form.holds_labels(answer):
                self._form.scores(answer, n)
                self._offers_scores = True

    def _ask(self, x: NDArray[Any]) -> Iterator[tuple[NDArray[Any], int]]:
        x = np.asarray(x)
        for start in range(0, len(x), self._endpoint.batch):
            batch = x[start : start + self._endpoint.batch]
            body = request_body(batch, self._endpoint.format, self._template)
            tried_before = self._connection.n_requests
            try:
                document = self._connection.post(body)
            except Contained as err:
                told = f"contained by the service after {self.n_answered:,} queries: {err.message}"
                raise Contained(told, hint=err.hint) from err
            finally:
                self.n_queries += len(batch) * (self._connection.n_requests - tried_before)
            self.n_answered += len(batch)
            yield answer_array(document, self._endpoint, self._ref.name), len(batch)
