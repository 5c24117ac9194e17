"""One call of the library for labels and scores together, the same as the subject's own two methods answer.

Every way here is held against the subject on sample rows when a model is loaded (`redan.service.models.loading`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import SubjectFailed
from redan.service.models.lean import lean
from redan.service.models.served import Answers
from redan.subjects.columns import AnswerForm, refuse_broken
from redan.subjects.failures import answering
from redan.subjects.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Subject

Answer = Callable[["NDArray[Any]"], Answers]
TIE = 1e-9
"""Where the two highest scores are nearer than this, rounding may decide between predict and the highest score."""
_AGREEING = frozenset({
    "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "RandomForestClassifier", "ExtraTreesClassifier",
    "DecisionTreeClassifier", "ExtraTreeClassifier", "GradientBoostingClassifier", "HistGradientBoostingClassifier",
    "MLPClassifier", "GaussianNB", "BernoulliNB", "MultinomialNB", "ComplementNB", "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis", "CalibratedClassifierCV", "XGBClassifier", "LGBMClassifier",
})  # fmt: skip
"""Estimators of scikit-learn's manners whose ``predict`` is the class of the highest ``predict_proba``, ties aside."""


def answer_of(subject: Subject) -> Answer:
    """Return the fastest way to ask a subject for labels and scores.

    Args:
        subject: loaded and ready.
    """
    kind = subject.ref.kind
    if kind == "torch":
        return _torch(subject)
    if kind == "onnx":
        return _onnx(subject)
    estimator = getattr(subject, "estimator", None)
    if estimator is not None:
        return _estimator(subject, estimator)
    if kind == "booster":
        return _booster(subject)
    return plain(subject)


def plain(subject: Any) -> Answer:
    """Return the subject's own methods as one; scores where it has them."""
    if "scores" not in subject.capabilities:
        return lambda x: Answers(labels=subject.labels(x), scores=None)
    return lambda x: Answers(labels=subject.labels(x), scores=subject.scores(x))


def _asked(ask: Callable[[NDArray[Any]], Any], rows: NDArray[Any], name: str) -> Any:
    """Ask the library; only what goes wrong pays for becoming an error of ours."""
    try:
        return ask(rows)
    except Exception:
        with answering(name, rows.shape):
            raise


def _of_scores(subject: Any) -> Answer:
    """Ask for scores alone, where the subject itself takes the highest."""

    def answer(x: NDArray[Any]) -> Answers:
        scores = subject.scores(x)
        return Answers(labels=scores.argmax(axis=1), scores=scores)

    return answer


def _estimator(subject: Any, estimator: Any) -> Answer:
    final = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if type(final).__name__ not in _AGREEING or subject.score_kind != "probabilities":
        return plain(subject)
    if getattr(estimator, "feature_names_in_", None) is not None:
        return _with_ties(subject, subject.scores)
    name = subject.ref.name
    ask = lean(estimator, name) or estimator.predict_proba
    width = int(getattr(estimator, "n_features_in_", 0))

    def scores(x: NDArray[Any]) -> NDArray[Any]:
        rows = x.reshape(len(x), -1) if x.ndim > 2 and x[0].size == width else x
        return refuse_broken(np.asarray(_asked(ask, rows, name)), name)

    return _with_ties(subject, scores)


def _with_ties(subject: Any, scores_of: Callable[[NDArray[Any]], NDArray[Any]]) -> Answer:
    """Take the class of the highest probability; rows where rounding decides are asked again."""

    def answer(x: NDArray[Any]) -> Answers:
        scores = scores_of(x)
        labels = scores.argmax(axis=1)
        close = _close(scores)
        if close.any():
            labels[close] = subject.labels(x[close])
        return Answers(labels=labels, scores=scores)

    return answer


def _close(scores: NDArray[Any]) -> NDArray[np.bool_]:
    if scores.shape[1] == 2:
        near: NDArray[np.bool_] = np.abs(scores[:, 0] - scores[:, 1]) < TIE
        return near
    highest = np.partition(scores, -2, axis=1)[:, -2:]
    nearest: NDArray[np.bool_] = highest[:, 1] - highest[:, 0] < TIE
    return nearest


def _booster(subject: Any) -> Answer:
    booster = subject.booster
    if "scores" not in subject.capabilities or booster is None or not type(booster).__module__.startswith("xgboost"):
        return _of_scores(subject) if "scores" in subject.capabilities else plain(subject)
    name, kind = subject.ref.name, subject.score_kind
    form = AnswerForm(name, Options(answers="scores", score_kind=kind))
    ask = partial(booster.inplace_predict, validate_features=False)

    def answer(x: NDArray[Any]) -> Answers:
        rows = x.reshape(len(x), -1)
        scores = form.scores(np.asarray(_asked(ask, rows, name)), len(rows))
        return Answers(labels=scores.argmax(axis=1), scores=scores)

    return answer


def _onnx(subject: Any) -> Answer:
    if "scores" not in subject.capabilities:
        return plain(subject)
    taken, output = subject.session.get_inputs()[0], subject.output
    simple = taken.type == "tensor(float)" and taken.shape and not isinstance(taken.shape[0], int)
    if not simple or output.type != "tensor(float)":
        return _of_scores(subject)
    name, key, rank = subject.ref.name, taken.name, len(taken.shape)
    form = AnswerForm(name, Options(answers="scores", score_kind=subject.score_kind))
    run, wanted = subject.session.run, [output.name]

    def ask(rows: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = run(wanted, {key: rows})[0]
        return found

    def answer(x: NDArray[Any]) -> Answers:
        rows = x.reshape(len(x), -1) if rank == 2 and x.ndim > 2 else x
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        found = _asked(ask, rows, name)
        # one column, or numbers of another kind, needs to be brought into form
        scores = refuse_broken(found, name) if found.ndim == 2 and found.shape[1] > 1 else form.scores(found, len(rows))
        return Answers(labels=scores.argmax(axis=1), scores=scores)

    return answer


def _torch(subject: Any) -> Answer:
    """Ask the network, which is this model's alone: put into evaluation mode once, and no gradient is ever recorded."""
    import torch

    if subject.score_kind not in ("logits", "probabilities"):
        raise SubjectFailed(f"what {subject.ref.name!r} answers is not known", hint="give a sample")
    net = subject.module
    for part in net.modules():
        part.training = False
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    dtype = next((p.dtype for p in net.inner.parameters() if p.is_floating_point()), torch.float32)
    name, outputs, keeps = subject.ref.name, net.outputs, net.keeps_integers

    def ask(x: NDArray[Any]) -> NDArray[Any]:
        kind = torch.int64 if keeps and x.dtype.kind in "iu" else dtype
        with torch.inference_mode():
            found: NDArray[Any] = outputs(torch.from_numpy(np.ascontiguousarray(x)).to(kind)).numpy()
        return found

    def answer(x: NDArray[Any]) -> Answers:
        scores = refuse_broken(_asked(ask, x, name), name)
        return Answers(labels=scores.argmax(axis=1), scores=scores)

    return answer
