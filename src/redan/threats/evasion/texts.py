"""What attacks on classifiers of text share: the rows, the questions, and the finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np

from redan.core import params as core_params
from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.kernels.draws import sample_keys
from redan.kernels.text_attacks.asking import Asking, as_texts
from redan.kernels.text_attacks.search import Limits, Walker, search
from redan.threats.evasion.blackbox import log_scores
from redan.threats.evasion.sampling import numbered
from redan.threats.evasion.text_finding import Attack, text_finding

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.text_attacks.search import Propose
    from redan.threats.evasion.blackbox import Scoring

    class Labelled(Subject, Labels, Protocol):
        """A subject with labels."""


EFFORT = {"quick": (50, 1), "standard": (200, 2), "deep": (1000, 6)}
"""Plan → (most texts, words compared in a step)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextParams(core_params.Params):
    """Parameters of an attack on texts.

    Attributes:
        words: most words that may be changed in a text.
        share: most words as a share of the text's; one always may.
        length: most that a text may grow or shrink, as a share of its characters.
        answers: scores where the model gives them, or labels alone.
        plan: how much to spend: quick, standard or deep.
    """

    words: int = 5
    share: float = 0.25
    length: float = 0.25
    answers: Literal["scores", "labels"] = "scores"
    plan: Literal["quick", "standard", "deep"] = "standard"


def limits_of(params: TextParams) -> Limits:
    """Return the limits that the parameters state.

    Raises:
        UsageError: nothing may be changed.
    """
    if params.words < 1 or not 0 < params.share <= 1 or not params.length >= 0:
        raise UsageError(
            f"words is {params.words}, share {params.share:g} and length {params.length:g}; expected words at least 1, "
            "share above 0 and at most 1, length not negative",
        )
    _, width = EFFORT[params.plan]
    return Limits(words=params.words, share=params.share, length=params.length, width=width)


def first_texts(data: Dataset, most: int) -> Dataset:
    """Return the texts with the smallest indices; the same whatever their order.

    Raises:
        ShapeMismatch: there are none, or they are no texts.
    """
    if not len(data):
        raise ShapeMismatch(f"{data.name!r} has no rows", hint="choose another offset or limit")
    x = np.asarray(data.x)
    if x.ndim != 1 or not all(isinstance(text, str) for text in x.tolist()):
        raise ShapeMismatch(f"{data.name!r} holds no texts; expected one text a row")
    order = np.argsort(data.indices, kind="stable")[:most]
    texts = as_texts([str(text) for text in x[order].tolist()])
    return replace(data, x=texts, y=np.asarray(data.y)[order], indices=np.asarray(data.indices)[order])


def asking_of(subject: Labelled, params: TextParams, budget: Budget) -> Asking:
    """Return counted access to a subject, with scores where it offers them and they are wanted."""
    graded = params.answers == "scores" and "scores" in subject.capabilities
    return Asking(
        subject.labels,
        log_scores(cast("Scoring", subject)) if graded else None,
        charge=lambda n: budget.charge(queries=n),
        stop=budget.stop,
        left=budget.left_queries,
    )


def attacked(
    spec: Spec,
    subject: Labelled,
    data: Dataset,
    params: TextParams,
    propose: Propose,
    *,
    budget: Budget,
    seed: int,
    observe: Observer,
    notes: Sequence[str] = (),
    cosine: Callable[[str, str], float] | None = None,
) -> Finding:
    """Search the few words whose change makes the model err, and put the finding together.

    Raises:
        BudgetSpent: before the model was asked about the clean texts.
    """
    limits = limits_of(params)
    asking = asking_of(subject, params, budget)
    observe.started(spec.name, len(data))
    keys = sample_keys(seed, spec.id, data.indices)
    walkers = search(asking, data.x.tolist(), np.asarray(data.y).tolist(), list(keys), propose, limits)
    found = settled(subject, data, walkers, asking, params, cosine=cosine, notes=notes)
    told = text_finding(spec, subject, params.as_dict(), found)
    observe.finished(spec.name, f"{told.title}, {asking.queries} queries in {asking.calls} calls")
    return told


def settled(
    subject: Labelled,
    data: Dataset,
    walkers: Sequence[Walker],
    asking: Asking,
    params: TextParams,
    *,
    cosine: Callable[[str, str], float] | None,
    notes: Sequence[str],
) -> Attack:
    """Ask the model about every text that was found, once more and for its label; only that counts."""
    if asking.answered is None:
        raise BudgetSpent(f"the clean texts were not asked: {asking.reason}", hint="give a larger budget")
    changes = [w.best for w in walkers]
    texts = [w.text.joined(w.best or {}) for w in walkers]
    y = np.asarray(data.y)
    already, success = asking.answered, np.array([c is not None for c in changes], bool)
    given = np.where(success, -1, y)
    if not asking.reason:
        budgeted = as_texts(texts)
        given = np.asarray(subject.labels(budgeted), np.int64)
        success = given != y
        already = success & np.array([not c for c in changes], bool)
    return Attack(
        data=data,
        slots=[w.text for w in walkers],
        changes=[c if fell and c else {} for c, fell in zip(changes, success.tolist(), strict=True)],
        already=already,
        success=success,
        given=given,
        allowed=[w.allowed for w in walkers],
        queries=asking.queries,
        calls=asking.calls,
        graded=asking.graded,
        reason=asking.reason,
        cosine=cosine,
        notes=tuple(notes),
        most_words=params.words,
    )


def checked(subject: Labelled, inputs: Inputs, role: str, most: int) -> Dataset:
    """Return the first texts of a role, with classes that the model has."""
    data = first_texts(inputs.role(role), most)
    if subject.classes:
        numbered(data, len(subject.classes))
    elif int(np.min(data.y)) < 0:
        raise ShapeMismatch(f"{data.name!r} has class {int(np.min(data.y))}; expected 0, 1, 2 …")
    return data


def texts_of(data: Dataset) -> list[str]:
    """Return all texts of a data set in the order of their indices."""
    order = np.argsort(data.indices, kind="stable")
    values: list[Any] = np.asarray(data.x)[order].tolist()
    return [str(value) for value in values]
