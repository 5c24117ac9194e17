"""Training as mitigations and recipes do it: a copy of the model, data as tensors, a budget, what to say of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.seeds import derive
from redan.subjects.failures import answering
from redan.subjects.fit import check_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Subject, Trainable
    from redan.kernels.attacks.watch import Watch
    from redan.kernels.training.course import Course, Lesson, Trained

    class Teachable(Subject, Trainable):
        """A subject that can be trained further."""


Start: TypeAlias = Literal["given", "scratch"]
"""Weights that training starts from: those of the model, or fresh ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pupil:
    """A network that is trained, and its data."""

    net: nn.Module
    """A copy of the subject's network, from the owner's scale to logits."""
    inputs: Tensor
    """Shape (n, ...), n > 0, in the network's own precision."""
    labels: Tensor
    """Classes, int64, shape (n,)."""


def pupil(subject: Teachable, data: Dataset, start: Start = "given") -> Pupil:
    """Copy the network and check the data; call it within `lessons_of`.

    Raises:
        ShapeMismatch: model and data do not fit together, or the data hold NaN or infinity.
        UsageError: fresh weights are wanted and a layer cannot draw them.
    """
    import torch

    from redan.kernels.training.fresh import fresh

    check_fit(subject, data)
    net = fresh(subject.module) if start == "scratch" else copy.deepcopy(subject.module)
    first = next(net.parameters())
    inputs = torch.as_tensor(np.asarray(data.x, np.float64 if first.dtype == torch.float64 else np.float32))
    if not bool(torch.isfinite(inputs).all()):
        raise ShapeMismatch(f"{data.name!r} holds NaN or infinity", hint="remove those rows")
    labels = torch.as_tensor(np.asarray(data.y, np.int64))
    return Pupil(net=net, inputs=inputs.to(first.device, first.dtype), labels=labels.to(first.device))


@contextmanager
def lessons_of(subject: Subject, spec: Spec, seed: int) -> Iterator[None]:
    """Run training with random numbers of its own; what the model's own code raises becomes an error of Redan."""
    from redan.kernels.training.randomness import own_randomness

    with own_randomness(seed, spec.id, "layers"), answering(subject.ref.name):
        yield


def course_of(*, epochs: int, batch_size: int, learning_rate: float, weight_decay: float = 0.0) -> Course:
    """Return the course that parameters ask for.

    Raises:
        UsageError: a number that is none of a training.
    """
    from redan.kernels.training.course import Course

    if epochs < 1 or batch_size < 1 or not learning_rate > 0 or not weight_decay >= 0:
        raise UsageError(
            f"epochs={epochs}, batch_size={batch_size}, learning_rate={learning_rate:g}, "
            f"weight_decay={weight_decay:g}; expected positive numbers",
        )
    return Course(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, weight_decay=weight_decay)


def watch_of(spec: Spec, budget: Budget, observe: Observer) -> Watch:
    """Return what asks the budget and tells the observer."""
    from redan.kernels.attacks.watch import Watch

    return Watch(stop=budget.stop, progress=lambda stage, done, total: observe.advanced(spec.name, done, total, stage))


def taught(
    spec: Spec,
    learner: Pupil,
    lesson: Lesson,
    course: Course,
    *,
    budget: Budget,
    seed: int,
    observe: Observer,
    stage: str = "",
    after_batch: Callable[[int], None] | None = None,
) -> Trained:
    """Train the pupil's network in place.

    Args:
        spec: the mitigation.
        learner: network and data.
        lesson: the loss of a batch.
        course: length and pace.
        budget: asked before each batch.
        seed: root seed; the order of rows follows from it.
        observe: told about epochs and the CPU time they took.
        stage: which training it is, where a mitigation has several.
        after_batch: called with the number of batches done.

    Raises:
        BudgetSpent: before the first epoch was over.
    """
    from redan.kernels.training.course import train
    from redan.kernels.training.randomness import generator

    before_s = budget.cpu_s
    observe.started(spec.name, course.epochs)
    trained = train(
        learner.net,
        learner.inputs,
        learner.labels,
        lesson,
        course,
        generator=generator(derive(seed, spec.id), "order", stage),
        watch=watch_of(spec, budget, observe),
        after_batch=after_batch,
    )
    if trained.epochs == 0:
        raise BudgetSpent(f"{spec.name} did not finish its first epoch: {trained.reason}", hint="give a larger budget")
    observe.finished(spec.name, f"{trained.reason or stage or 'trained'}, {budget.cpu_s - before_s:.1f} CPU s")
    return trained


def told_of(trained: Trained, course: Course, start: Start, seed: int) -> str:
    """Say how long and from where a network was trained."""
    weights = "fresh weights" if start == "scratch" else "the weights given"
    return f"{trained.epochs} of {course.epochs} epochs from {weights}, seed {seed}"
