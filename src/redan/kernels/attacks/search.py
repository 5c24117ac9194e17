"""The state of a cascade over a whole set, and the three moves that change it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.core.errors import ShapeMismatch
from redan.kernels.attacks import loss as losses
from redan.kernels.attacks.apgd import ApgdSchedule, apgd
from redan.kernels.attacks.ball import Ball
from redan.kernels.attacks.descent import Work, descend, join
from redan.kernels.attacks.minimum_norm import find_nearest
from redan.kernels.attacks.projection import distance, tighten
from redan.kernels.attacks.result import Evasion
from redan.kernels.attacks.rivals import likeliest, nearest
from redan.kernels.attacks.square import SquareSettings, square
from redan.kernels.attacks.starts import random_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from redan.kernels.attacks.minimum_norm import MinimumNorm
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.plans import Round
    from redan.kernels.attacks.watch import Watch
    from redan.kernels.draws import Keys

CLEAN = "clean"
"""Stage of the samples the model errs on without attack."""
WITNESS = "square"
"""Stage of the witness that sees no gradient."""
_STREAMS_A_ROUND = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One descent of each chosen sample."""

    rank: int | None
    """Place of the class to head for in the order of rivals; None: the best other class at every step."""
    stream: int
    """Stream of the random draws."""


class Search:
    """Knows of every sample whether, where and how near it fell.

    Args:
        oracle: the model.
        inputs: the set, shape (n, ...).
        labels: true classes, shape (n,).
        ball: where adversarial points may lie.
        keys: one key a sample.
        batch_size: most work items in one call.
        watch: stop and progress.
        wanted: class that must be answered for each sample to fall, shape (n,); None: any but the label.
    """

    def __init__(
        self,
        oracle: Oracle,
        inputs: Tensor,
        labels: Tensor,
        *,
        ball: Ball,
        keys: Keys,
        batch_size: int,
        watch: Watch,
        wanted: Tensor | None = None,
    ) -> None:
        n, device = len(inputs), inputs.device
        self._oracle, self._inputs, self._labels, self._ball = oracle, inputs, labels, ball
        self._keys, self._batch_size, self._watch, self._wanted = keys, batch_size, watch, wanted
        self._adversarial = inputs.clone()
        self._best = inputs.clone()
        self._stage = torch.full((n,), -1, dtype=torch.int64, device=device)
        self._distance = torch.full((n,), torch.inf, dtype=torch.float64, device=device)
        self._margin = torch.full((n,), torch.inf, dtype=inputs.dtype, device=device)
        self._rivals = torch.empty((n, 0), dtype=torch.int64, device=device)
        self._ranked = torch.zeros(n, dtype=torch.bool, device=device)
        self._stages = [CLEAN]
        self._notes: list[str] = []

    def clean(self) -> None:
        """Classify the inputs; the misclassified (those that answer the wanted class) fall at distance 0."""
        rivals = []
        for places in self._batches(torch.arange(len(self._inputs), device=self._inputs.device), CLEAN):
            logits = self._oracle.logits(self._inputs[places])
            labels = self._labels[places]
            wanted = self._wants(places)
            _check_labels(labels if wanted is None else torch.cat([labels, wanted]), logits.shape[1])
            wrong = places[losses.falls(logits, labels, wanted)]
            self._stage[wrong], self._distance[wrong] = 0, 0.0
            self._margin[places] = losses.goal_margin(logits, labels, wanted).to(self._margin)
            rivals.append(likeliest(logits, labels))
        if rivals:
            self._rivals = torch.cat(rivals)

    def round(self, number: int, plan: Round) -> None:
        """Run the passes of one round, each over its share of the survivors, or all of them over one share."""
        self._stages.append(plan.name)
        plan = self._usable(plan)
        untargeted = plan.rivals == 0 or self._wanted is not None
        ranks = [None] if untargeted else list(range(min(plan.rivals, self._rivals.shape[1])))
        passes = [
            _Pass(rank=rank, stream=number * _STREAMS_A_ROUND + count)
            for count, rank in enumerate(ranks * plan.repeats)
        ]
        for together in [passes] if plan.together else [[one] for one in passes]:
            places = self._hardest(plan.share)
            items = torch.arange(len(places) * len(together), device=places.device)
            for batch in self._batches(items, plan.name):
                turns = batch // max(1, len(places))
                parts = [places[(batch % len(places))[turns == turn]] for turn in range(len(together))]
                self._descend([(part, one) for part, one in zip(parts, together, strict=True) if len(part)], plan)

    def minimum_norm(self, method: MinimumNorm, steps: int) -> None:
        """Search the nearest point at which each sample falls, of all that did not fall without attack.

        FMN starts a survivor at its best point of the ball and a fallen sample at its adversarial point; the others
        start at the input. A survivor that gets within eps falls; of a fallen sample the nearer point is kept.
        """
        self._stages.append(method)
        right = (self._distance > 0).nonzero().squeeze(1)
        for places in self._batches(right, method):
            work = Work(
                inputs=self._inputs[places],
                labels=self._labels[places],
                points=self._best[places],
                wanted=self._wants(places),
            )
            found = find_nearest(method, self._oracle, work, self._ball, steps, self._watch)
            near = (found.distance <= self._ball.eps) & (found.distance < self._distance[places])
            self._confirm(places[near], found.adversarial[near])
            self._distance[places[~near]] = torch.minimum(self._distance[places], found.distance)[~near]

    def witness(self, queries: int) -> None:
        """Attack the survivors by scores alone: what falls only here shows that the gradients led astray."""
        self._stages.append(WITNESS)
        survivors, fell = (self._stage < 0).nonzero().squeeze(1), 0
        for places in self._batches(survivors, WITNESS):
            inputs, labels = self._inputs[places], self._labels[places]
            found = square(
                lambda points: self._oracle.logits(torch.from_numpy(points).to(self._inputs)).cpu().numpy(),
                inputs.cpu().float().numpy(),
                labels.cpu().numpy(),
                ball=self._ball,
                keys=self._keys[places.cpu().numpy()],
                settings=SquareSettings(queries=queries),
                batch_size=self._batch_size,
                stop=lambda: self._watch.reason if self._watch.stopped() else None,
            )
            turned = torch.from_numpy(found.success).to(places.device)
            self._confirm(places[turned], torch.from_numpy(found.points).to(self._inputs)[turned])
            fell += int((self._stage[places] >= 0).sum())
        if fell:
            self._notes.append(
                f"Square, which sees no gradient, turned {fell} of {len(survivors)} inputs that gradients had not: "
                "see whether the model masks its gradients"
            )

    def result(self) -> Evasion:
        """What is known now."""
        return Evasion(
            adversarial=self._adversarial,
            success=self._stage >= 0,
            stage=self._stage,
            stages=tuple(self._stages),
            distance=self._distance,
            margin=self._margin,
            counts=self._oracle.counts,
            complete=self._watch.reason is None,
            reason=self._watch.reason,
            notes=tuple(self._notes),
        )

    def _usable(self, plan: Round) -> Round:
        """Replace a loss that has too few classes, and note it."""
        if not isinstance(plan.schedule, ApgdSchedule):
            return plan
        n_classes = self._rivals.shape[1] + 1  # exact up to ten, and no loss needs more than four
        usable = plan.schedule.usable(n_classes)
        if usable != plan.schedule and len(self._inputs):
            self._notes.append(
                f"{plan.name}: {plan.schedule.loss} needs more than {n_classes} classes, used the margin"
            )
        return replace(plan, schedule=usable)

    def _batches(self, places: Tensor, stage: str) -> Iterator[Tensor]:
        """Places in batches, until the watch says stop; tells the progress after each."""
        for first in range(0, len(places), self._batch_size):
            if self._watch.stopped():
                return
            yield places[first : first + self._batch_size]
            self._watch.progress(stage, min(first + self._batch_size, len(places)), len(places))

    def _hardest(self, share: float) -> Tensor:
        """Places of the given share of survivors, those of the lowest margin, in the order of the set."""
        survivors = (self._stage < 0).nonzero().squeeze(1)
        if share >= 1:
            return survivors
        order = self._margin[survivors].argsort(stable=True)
        return survivors[order[: math.ceil(share * len(survivors))]].sort().values

    def _descend(self, parts: list[tuple[Tensor, _Pass]], plan: Round) -> None:
        """One batch of descents: the places of each pass, no place twice in one pass."""
        works = [self._work(places, one, plan) for places, one in parts]
        if isinstance(plan.schedule, ApgdSchedule):
            reached = apgd(self._oracle, join(works), self._ball, plan.schedule, self._watch)
        else:
            reached = descend(self._oracle, join(works), self._ball, plan.schedule, self._watch)
        sizes = [len(places) for places, _ in parts]
        found = zip(reached.points.split(sizes), reached.margin.split(sizes), reached.fallen.split(sizes), strict=True)
        for (places, _), (points, margin, fallen) in zip(parts, found, strict=True):
            open_ = self._stage[places] < 0  # a sample may have fallen in another pass of the batch
            lower = open_ & (margin < self._margin[places])
            self._margin[places[lower]] = margin[lower]
            self._best[places[lower]] = points[lower]
            self._confirm(places[open_ & fallen], points[open_ & fallen])

    def _work(self, places: Tensor, one: _Pass, plan: Round) -> Work:
        """Where the samples of a pass begin, and what they head for."""
        inputs, labels = self._inputs[places], self._labels[places]
        targets = None if one.rank is None else self._target(places, one.rank)
        points = self._best[places] if plan.resume else inputs
        if plan.noise > 0:
            keys = self._keys[places.cpu().numpy()]
            around = replace(self._ball, eps=plan.noise * self._ball.eps)
            points = random_points(inputs, around, keys, stream=one.stream)
        return Work(inputs=inputs, labels=labels, points=points, targets=targets, wanted=self._wants(places))

    def _target(self, places: Tensor, rank: int) -> Tensor:
        """The rival of a rank of each place; the rivals of a place are put in order the first time one is wanted."""
        new = places[~self._ranked[places]]
        if len(new):
            inputs, labels = self._inputs[new], self._labels[new]
            self._rivals[new] = nearest(self._oracle, inputs, labels, self._rivals[new], self._ball.norm)
            self._ranked[new] = True
        return self._rivals[places, rank]

    def _confirm(self, places: Tensor, points: Tensor) -> None:
        """Let samples fall at points of which a plain forward of the model, inside ball and box, proves it."""
        if len(places) == 0:
            return
        inputs, labels, wanted = self._inputs[places], self._labels[places], self._wants(places)
        points = tighten(points, inputs, self._ball)
        logits = self._oracle.logits(points)
        wrong = losses.falls(logits, labels, wanted)
        fell = places[wrong]
        reach = distance(points, inputs, self._ball.norm)[wrong]
        self._adversarial[fell], self._best[fell] = points[wrong], points[wrong]
        self._stage[fell] = self._stage[fell].where(self._stage[fell] >= 0, len(self._stages) - 1)
        self._distance[fell] = torch.minimum(self._distance[fell], reach)
        self._margin[fell] = losses.goal_margin(logits, labels, wanted)[wrong].to(self._margin)

    def _wants(self, places: Tensor) -> Tensor | None:
        """Classes that the samples of these places must be answered as, if any are wanted."""
        return None if self._wanted is None else self._wanted[places]


def _check_labels(labels: Tensor, n_classes: int) -> None:
    if bool(((labels < 0) | (labels >= n_classes)).any()):
        msg = f"labels must be classes 0 to {n_classes - 1}, got {int(labels.min())} to {int(labels.max())}"
        raise ShapeMismatch(msg, hint="check that data and model number the classes alike")
