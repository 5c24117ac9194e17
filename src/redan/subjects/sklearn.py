"""Fitted scikit-learn classifiers and pipelines, and what follows their manners (XGBClassifier, LGBMClassifier)."""

from __future__ import annotations

import pickle
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import SubjectFailed, UsageError
from redan.core.subject import Binding, Component, SubjectRef
from redan.kernels.trees.reading import read, readable
from redan.subjects.columns import AnswerForm, agreed_classes
from redan.subjects.failures import answering, first_line
from redan.subjects.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Capability, SubjectKind
    from redan.kernels.trees.forest import Forest
    from redan.subjects.options import Kind


class SklearnSubject:
    """A fitted classifier with ``predict`` and perhaps ``predict_proba`` or ``decision_function``.

    Labels come from ``predict``, mapped to their place in ``classes_``. Images (n, c, h, w) are flattened when the
    estimator was fitted on rows of that many features. An estimator fitted on a table with column names gets one.

    Args:
        estimator: fitted; held, not copied.
        options: what its owner knows about it.
        components: parts already known; else the pickled estimator is digested, where it can be pickled.
        binding: how it was reached.
        kind: ``sklearn`` or ``booster``.

    Raises:
        UsageError: not fitted, or no classifier.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        options: Options | None = None,
        components: tuple[Component, ...] = (),
        binding: Binding | None = None,
        kind: SubjectKind = "sklearn",
    ) -> None:
        self._estimator = estimator
        self._options = options or Options()
        name = self._options.name or type(estimator).__name__
        self._own_classes = _classes_of(estimator, name)
        self._names = agreed_classes(self._options.classes, tuple(map(str, self._own_classes)), name)
        self._method, self._kind = _scoring(estimator)
        self._form = AnswerForm(name, Options(answers="scores", score_kind=self._kind))
        self._ref = SubjectRef(
            name=name, kind=kind, components=components or _pickled(estimator, name), binding=binding or Binding()
        )

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels; scores where the estimator gives one for each class; trees where it is made of some that are read."""
        offers: set[Capability] = {"labels", "refittable"}
        offers |= {"scores"} if self._method else set()
        return frozenset(offers | ({"trees"} if readable(self._estimator) else set()))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: the owner's, else the estimator's own labels."""
        return self._names

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest legal input value."""
        return self._options.bounds

    @property
    def score_kind(self) -> Kind:
        """Probabilities of ``predict_proba``, else the margins of ``decision_function`` as logits."""
        return self._kind

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64 places in ``classes_``."""
        x = np.asarray(x)
        if len(x) == 0:
            return np.zeros(0, np.int64)
        with answering(self._ref.name, x.shape):
            answer = np.asarray(self._estimator.predict(self._table(x)))
        if answer.shape != (len(x),):
            raise SubjectFailed(f"{self._ref.name!r} answered {len(x)} inputs with labels of shape {answer.shape}")
        place = {value: index for index, value in enumerate(self._own_classes)}
        return np.array([place[value] for value in answer.tolist()], dtype=np.int64)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes)."""
        x = np.asarray(x)
        if len(x) == 0:
            return np.zeros((0, len(self._own_classes)))
        with answering(self._ref.name, x.shape):
            answer = np.asarray(getattr(self._estimator, self._method)(self._table(x)))
        return self._form.scores(answer, len(x))

    def forest(self) -> Forest:
        """Return the leaves of its trees as boxes.

        Raises:
            Skipped: it has none, or splits of a kind that is not read.
        """
        return read(self._estimator)

    @property
    def estimator(self) -> Any:
        """The fitted estimator itself; not to be changed."""
        return self._estimator

    def refitted(self, estimator: Any, x: NDArray[Any], y: NDArray[Any], *, note: str) -> SklearnSubject:
        """Fit another estimator on rows (n, …) with class indices (n,), and return a subject around it.

        Raises:
            SubjectFailed: it cannot be fitted on these rows, or not all classes occur in them.
        """
        own = np.asarray(self._own_classes)
        if set(np.unique(y).tolist()) != set(range(len(own))):
            raise SubjectFailed(
                f"{self._ref.name!r} has {len(own)} classes and not all of them, or others, occur in the rows",
                hint="give training rows of every class",
            )
        try:
            fitted = estimator.fit(self._table(np.asarray(x)), own[y])
        except Exception as err:
            raise SubjectFailed(
                f"{type(estimator).__name__} cannot be fitted on rows of shape {x.shape}: {first_line(err)}"
            ) from err
        parts = _pickled(fitted, f"{self._ref.name} ({note})")
        made = SklearnSubject(
            fitted, options=replace(self._options, name=self._ref.name), components=parts, kind=self._ref.kind
        )
        made._ref = replace(made._ref, lineage=(*self._ref.lineage, self._ref.digest))
        return made

    def _table(self, x: NDArray[Any]) -> Any:
        width = getattr(self._estimator, "n_features_in_", None)
        if x.ndim > 2 and width == int(np.prod(x.shape[1:])):
            x = x.reshape(len(x), -1)
        names = getattr(self._estimator, "feature_names_in_", None)
        if names is None or x.ndim != 2 or len(names) != x.shape[1]:
            return x
        from pandas import DataFrame  # fitted on one, so it is installed

        return DataFrame(x, columns=list(names))


def _classes_of(estimator: Any, name: str) -> list[Any]:
    if not hasattr(estimator, "predict"):
        raise UsageError(f"{name!r} has no predict", hint="give a fitted classifier or a pipeline that ends in one")
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise UsageError(
            f"{name!r} has no classes_: it is not fitted, or it is no classifier",
            hint="call fit first; Redan measures classifiers",
        )
    if isinstance(classes, list):
        raise UsageError(f"{name!r} has several outputs", hint="give one of its classifiers at a time")
    values: list[Any] = np.asarray(classes).tolist()
    return values


def _scoring(estimator: Any) -> tuple[str, Kind]:
    if hasattr(estimator, "predict_proba"):
        return "predict_proba", "probabilities"
    # one-against-one margins are one column for each pair of classes, not for each class
    if hasattr(estimator, "decision_function") and getattr(estimator, "decision_function_shape", "ovr") == "ovr":
        return "decision_function", "logits"
    return "", "logits"


def _pickled(estimator: Any, name: str) -> tuple[Component, ...]:
    try:
        data = pickle.dumps(estimator, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):
        return ()
    return (Component(role="weights", uri=name, sha256=sha256(data).hexdigest(), size_bytes=len(data)),)
