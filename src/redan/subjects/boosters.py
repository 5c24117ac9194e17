"""XGBoost and LightGBM boosters, from objects and from their own files, which hold data and no code."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import Unreadable, UsageError
from redan.core.subject import Binding, Component, SubjectRef
from redan.kernels.trees.reading import read, readable
from redan.subjects.answering import Answering
from redan.subjects.columns import AnswerForm
from redan.subjects.failures import answering, first_line
from redan.subjects.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.subject import Capability
    from redan.kernels.trees.forest import Forest
    from redan.subjects.options import Kind

    Predict = Callable[[NDArray[Any]], Any]

_XGBOOST: dict[str, Kind | None] = {
    "binary:logistic": "probabilities",
    "binary:logitraw": "logits",
    "binary:hinge": None,
    "multi:softprob": "probabilities",
    "multi:softmax": None,
}
"""Objective → what it predicts; None for labels."""

_LIGHTGBM: dict[str, Kind] = {
    "binary": "probabilities",
    "multiclass": "probabilities",
    "softmax": "probabilities",
    "multiclassova": "probabilities",
    "cross_entropy": "probabilities",
}


class BoosterSubject(Answering):
    """A booster that classifies.

    Args:
        predict: the booster's own prediction for (n, features).
        digest: of the booster in its own format.
        kind: what it predicts; None for labels.
        options: what its owner knows about it.
        components: parts already known, instead of the digest.
        binding: how it was reached.
        booster: the booster itself, whose trees are read.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        digest: Component,
        kind: Kind | None,
        options: Options,
        components: tuple[Component, ...] = (),
        binding: Binding | None = None,
        booster: Any = None,
    ) -> None:
        self._booster = booster
        self._predict = predict
        self._kind = kind
        self._options = options
        name = options.name or digest.uri
        form = replace(options, answers="scores" if kind else "labels", score_kind=kind or "auto")
        self._form = AnswerForm(name, form)
        self._ref = SubjectRef(
            name=name, kind="booster", components=components or (digest,), binding=binding or Binding()
        )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels and trees; scores unless the objective gives labels only."""
        offers: set[Capability] = {"labels", "scores"} if self._kind else {"labels"}
        return frozenset(offers | ({"trees"} if readable(self._booster) else set()))

    @property
    def score_kind(self) -> Kind:
        """What the objective says."""
        return self._kind or "logits"

    @property
    def booster(self) -> Any:
        """The booster itself, not to be changed; None where it was not given."""
        return self._booster

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64."""
        return self._form.labels(self._answer(x), len(x))

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes)."""
        return self._form.scores(self._answer(x), len(x))

    def forest(self) -> Forest:
        """Return the leaves of its trees as boxes.

        Raises:
            Skipped: splits of a kind that is not read.
        """
        return read(self._booster)

    def _answer(self, x: NDArray[Any]) -> NDArray[Any]:
        rows = np.asarray(x).reshape(len(x), -1)
        with answering(self._ref.name, rows.shape):
            return np.asarray(self._predict(rows))


def from_xgboost(
    booster: Any,
    *,
    options: Options,
    components: tuple[Component, ...] = (),
    binding: Binding | None = None,
) -> BoosterSubject:
    """Wrap an ``xgboost.Booster``.

    Raises:
        UsageError: its objective is no classification.
    """
    import xgboost

    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if objective not in _XGBOOST:
        raise _no_classifier("XGBoost", objective, list(_XGBOOST))
    raw = bytes(booster.save_raw(raw_format="ubj"))

    def predict(rows: NDArray[Any]) -> Any:
        # names of columns are the owner's; the order is what counts
        return booster.predict(xgboost.DMatrix(rows), validate_features=False)

    return BoosterSubject(
        predict,
        digest=_digested(raw, "xgboost"),
        kind=_XGBOOST[objective],
        options=options,
        components=components,
        binding=binding,
        booster=booster,
    )


def from_lightgbm(
    booster: Any,
    *,
    options: Options,
    components: tuple[Component, ...] = (),
    binding: Binding | None = None,
) -> BoosterSubject:
    """Wrap a ``lightgbm.Booster``.

    Raises:
        UsageError: its objective is no classification.
    """
    text = booster.model_to_string()
    lines = (line for line in text.splitlines() if line.startswith("objective="))
    objective = next(lines, "objective=").removeprefix("objective=").split(" ")[0]
    if objective not in _LIGHTGBM:
        raise _no_classifier("LightGBM", objective, list(_LIGHTGBM))
    return BoosterSubject(
        booster.predict,
        digest=_digested(text.encode(), "lightgbm"),
        kind=_LIGHTGBM[objective],
        options=options,
        components=components,
        binding=binding,
        booster=booster,
    )


def read_xgboost(data: bytes, name: str) -> Any:
    """Load a booster from the bytes of a ``.json`` or ``.ubj`` file.

    Raises:
        Unreadable: no XGBoost model.
    """
    import xgboost

    try:
        return xgboost.Booster(model_file=bytearray(data))
    except xgboost.core.XGBoostError as err:
        raise Unreadable(f"{name!r} is no readable XGBoost model: {first_line(err)}") from err


def read_lightgbm(data: bytes, name: str) -> Any:
    """Load a booster from the bytes of a text file.

    Raises:
        Unreadable: no LightGBM model.
    """
    import lightgbm

    try:
        return lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as err:
        raise Unreadable(f"{name!r} is no readable LightGBM model: {first_line(err)}") from err


def _digested(data: bytes, name: str) -> Component:
    return Component(role="weights", uri=name, sha256=sha256(data).hexdigest(), size_bytes=len(data))


def _no_classifier(library: str, objective: str, known: list[str]) -> UsageError:
    return UsageError(
        f"this {library} booster has the objective {objective or 'none'!r}, which is no classification",
        hint=f"Redan measures classifiers: {', '.join(known)}",
    )
