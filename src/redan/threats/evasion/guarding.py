"""Training with few attack steps under the guard against its known way to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.training.adversary import Adversary
    from redan.kernels.training.course import Course
    from redan.kernels.training.guard import Guard
    from redan.subjects.teaching import Pupil

_HELD_OUT = 128
_JUDGE_STEPS = 5
_CHECKS_AN_EPOCH = 2


def apart(learner: Pupil, spec: Spec, seed: int) -> tuple[Pupil, Pupil]:
    """Hold rows out of the training: 128, or a fifth of few.

    Raises:
        ShapeMismatch: fewer than two rows.
    """
    import torch

    from redan.kernels.training.randomness import generator

    n = len(learner.inputs)
    if n < 2:
        raise ShapeMismatch(f"{n} rows are too few to hold one out; expected at least 2")
    order = torch.randperm(n, generator=generator(seed, spec.id, "held out"))
    cut = max(1, min(_HELD_OUT, n // 5))
    held, rest = order[:cut], order[cut:]
    return (
        replace(learner, inputs=learner.inputs[rest], labels=learner.labels[rest]),
        replace(learner, inputs=learner.inputs[held], labels=learner.labels[held]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """An adversary under guard: after a collapse it takes one more step, of the usual length."""

    foe: Adversary
    """The attack that training uses."""
    guard: Guard
    """What measures and puts weights back."""

    @property
    def collapses(self) -> int:
        """How many were undone."""
        return self.guard.collapses

    def after_batch(self, observe: Observer) -> Callable[[int], None]:
        """Return what training calls after each batch."""
        from redan.kernels.training.adversary import Strength

        def check(batches: int) -> None:
            if self.guard(batches):
                steps = self.foe.strength.steps + 1
                self.foe.strength = Strength.usual(steps, easy=self.foe.strength.easy)
                observe.note(f"the attack no longer holds after {batches} batches; going on with {steps} steps")

        return check


def guarding(foe: Adversary, learner: Pupil, held: Pupil, ball: Ball, course: Course, spec: Spec, seed: int) -> Guarded:
    """Guard a training: a five-step attack on the rows held out, twice an epoch."""
    from redan.kernels.training.adversary import Adversary, Strength
    from redan.kernels.training.guard import Guard
    from redan.kernels.training.randomness import generator

    judge = Adversary(learner.net, ball, Strength.usual(_JUDGE_STEPS), generator(seed, spec.id, "judge"))
    every = max(1, len(learner.inputs) // course.batch_size // _CHECKS_AN_EPOCH)
    return Guarded(foe=foe, guard=Guard(learner.net, judge, held.inputs, held.labels, every))
