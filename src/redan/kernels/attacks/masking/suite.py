"""The whole suite: check, attack as usual, repair, attack again, and say whether the usual number can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.kernels.attacks.bpda import straight_through
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.eot import majority, own_randomness, persist
from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.masking import answers, contests, repairs, slopes
from redan.kernels.attacks.masking.check import Case, Check, columns
from redan.kernels.attacks.oracle import Oracle, untouched
from redan.kernels.attacks.plans import plan_for
from redan.kernels.attacks.projection import tighten
from redan.kernels.attacks.watch import Watch, never

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.oracle import Model
    from redan.kernels.attacks.plans import Plan
    from redan.kernels.draws import Keys

Trust: TypeAlias = Literal["trustworthy", "masked", "could not decide"]
"""Whether a robust accuracy measured with the usual attack is about right."""
JUDGES = 21
"""Answers of a random model whose majority decides."""
_FEWEST_RIGHT = 8
"""Rightly classified samples below which nothing can be said."""
_NOISE_TRIES = 10
_QUERIES = 300
_MANY_QUERIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the suite found; n samples.

    Attributes:
        verdict: whether the usual number can be trusted.
        checks: every check in order.
        clean: which samples are classified rightly without an attack, (n,).
        before: which fell to the usual attack, (n,); misclassified inputs among them.
        after: which fell to any attack, (n,).
        adversarial: points at which they fell, else the inputs, (n, ...).
        wrong_rate: share of answers at those points that are wrong, over the samples that fell; 1 unless random.
        stages: attack → how many samples it was the first to make fall, in order.
        repairs: what was repaired, one phrase each.
        reason: why no decision was possible or the suite ended early, None where it did not.
    """

    verdict: Trust
    checks: tuple[Check, ...]
    clean: Tensor
    before: Tensor
    after: Tensor
    adversarial: Tensor
    wrong_rate: float
    stages: tuple[tuple[str, int], ...]
    repairs: tuple[str, ...]
    reason: str | None


def examine(
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    keys: Keys,
    seed: int,
    batch_size: int = 500,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Examination:
    """Run every check, the usual attack and the repaired ones.

    Args:
        model: module or differentiable callable: logits (n, k), one logit, or probabilities; left as it was.
        inputs: shape (n, ...), floating point, inside the box.
        labels: true classes, int64, shape (n,).
        ball: where adversarial points may lie, "linf" or "l2".
        keys: one key a sample.
        seed: of what a random model draws and of the last repair.
        batch_size: most rows in one call.
        stop: asked between steps; a text ends the suite without a decision.
        progress: told stage, stages done and stages in all.

    Raises:
        ShapeMismatch: inputs, labels and model do not fit together.
    """
    watch = Watch(stop=stop)
    with untouched(model), own_randomness(seed):
        case = Case(
            model=columns(model),
            inputs=inputs.detach(),
            labels=labels,
            ball=ball,
            keys=keys,
            batch_size=batch_size,
            stop=lambda: watch.reason if watch.stopped() else None,
        )
        return _Suite(case, watch, progress).run(seed)


class _Suite:
    """The state of one examination."""

    def __init__(self, case: Case, watch: Watch, progress: Callable[[str, int, int], None]) -> None:
        self._case, self._watch, self._progress = case, watch, progress
        self._checks: list[Check] = []
        self._repairs: list[str] = []
        self._stages: list[tuple[str, int]] = []
        self._points = case.inputs.clone()
        self._fell = torch.zeros(len(case.labels), dtype=torch.bool, device=case.labels.device)
        self._random = False
        self._refused = False

    def run(self, seed: int) -> Examination:
        """Check, attack, repair, decide."""
        clean_fell = self._look()
        before = clean_fell
        if self._open():
            before = self._usual()
        if self._open():
            self._cascade(before)
        by_gradient = self._fell.clone()
        if self._open():
            self._compare(by_gradient)
        if self._open():
            self._repair(seed)
            self._checks.append(contests.repair_wins(self._fell, by_gradient))
        rate = self._judge_again() if self._random else 1.0
        return self._result(clean_fell, before, rate)

    def _open(self) -> bool:
        self._progress("masking", len(self._checks), 19)
        return len(self._case.inputs) > 0 and not self._watch.stopped()

    def _look(self) -> Tensor:
        """Run the checks that need no attack; return which samples the model errs on."""
        case = self._case
        if len(case.inputs) == 0 or self._watch.stopped():
            return self._fell
        clean = case.answers(case.inputs)
        _check_labels(case.labels, clean.shape[1])
        refused = answers.unanswered(case, clean)
        self._checks += [refused, answers.random_answers(case, clean), answers.probabilities(clean)]
        self._refused, self._random = refused.flagged, self._checks[1].flagged
        if self._checks[2].flagged:
            self._case = case = replace(case, model=repairs.logarithm(case.model))
            self._repairs.append("margin of logarithms instead of probabilities")
        if self._refused:
            self._case = case = replace(case, model=repairs.refusal(case.model))
            self._repairs.append("an answer of NaN counts as wrong")
        clean = case.answers(case.inputs)
        if not self._random:
            self._checks.append(answers.deaf(case, clean))
        self._checks.append(answers.learning_inside(case))
        gradients = slopes.margin_gradients(case)
        if not self._random:
            self._checks += slopes.slopes(case, clean, gradients)
        self._checks.append(slopes.saturated(case, clean, gradients))
        wrong = self._judged(case.inputs)
        self._fell = wrong.clone()
        self._stages.append(("wrong already", int(wrong.sum())))
        return wrong

    def _usual(self) -> Tensor:
        points, fell = contests.usual(self._case)
        if self._random:
            fell = self._judged(points)
        self._fall("usual attack", points, fell)
        before = self._fell.clone()
        if not self._random:
            predicted = self._case.answers(self._case.inputs).argmax(1)
            self._checks += [
                contests.more_steps(self._case, before),
                contests.not_monotone(self._case, before),
                contests.unbounded(self._case, predicted),
            ]
        return before

    def _cascade(self, before: Tensor) -> None:
        case = self._case
        clean = margin(case.answers(case.inputs), case.labels)
        found = self._attack(case, torch.arange(len(case.labels)), plan_for("standard", case.ball.norm))
        if found is None:
            return
        points, fell, best = found
        if not self._random:
            self._checks += [contests.stuck(clean, best, fell), contests.margin_wins(fell, before)]
        self._fall("margin cascade", points, fell)

    def _compare(self, by_gradient: Tensor) -> None:
        """Set attacks without gradients against those with; what a random model answers once decides nothing."""
        if self._random:
            return
        by_noise = answers.noise_falls(self._case, _NOISE_TRIES)
        self._checks.append(contests.noise_wins(by_noise, by_gradient))
        self._checks.append(contests.black_box_wins(self._square("square", _QUERIES), by_gradient))

    def _repair(self, seed: int) -> None:
        """Attack what still stands through surrogates, the cheapest first."""
        flagged = any(check.flagged for check in self._checks)
        plan = plan_for("standard" if flagged else "quick", self._case.ball.norm)
        if self._random:
            averaged, draws = repairs.averaged(self._case)
            self._repairs.append(f"expectation over {draws} draws")
            self._follow("expected cascade", averaged, plan)
            self._persist(averaged)
            return
        self._follow("repaired cascade", replace(self._case, model=straight_through(self._case.model)), plan)
        if not flagged:
            return
        self._repairs.append("straight through steps and saturation")
        if self._standing():
            self._repairs.append("gradients by differences")
            self._follow("smoothed descent", repairs.differenced(self._case, seed), repairs.SMOOTHED_PLAN)
        self._square("square, long", _MANY_QUERIES)

    def _persist(self, averaged: Case) -> None:
        left = self._left()
        if len(left) == 0 or self._watch.stopped():
            return
        points = self._case.inputs.clone()
        oracle = Oracle(averaged.model)
        for places in left.split(averaged.batch_size):
            points[places] = persist(oracle, points[places], self._case.labels[places], self._case.ball)
        self._fall("expected descent", points, self._judged(points))

    def _square(self, name: str, queries: int) -> Tensor:
        """Run Square on what still stands; return which samples fell to it."""
        left = self._left()
        fell, points = torch.zeros_like(self._fell), self._case.inputs.clone()
        if len(left) and not self._watch.stopped():
            found = contests.black_box(self._case, left, queries)
            fell[left] = torch.from_numpy(found.success).to(fell.device)
            points[left] = torch.from_numpy(found.points).to(points)
        self._fall(name, points, fell)
        return fell

    def _follow(self, name: str, surrogate: Case, plan: Plan) -> None:
        left = self._left()
        if len(left) == 0 or self._watch.stopped():
            return
        try:
            found = self._attack(surrogate, left, plan)
        except RuntimeError:
            found = None  # autograd refuses what was rewritten; the repairs after this one need no graph
        if found is not None:
            points = self._case.inputs.clone()
            points[left] = found[0]
            self._fall(name, points, self._judged(points))

    def _attack(self, case: Case, places: Tensor, plan: Plan) -> tuple[Tensor, Tensor, Tensor] | None:
        """Points, which fell, and lowest margins of the samples at the places; None where no gradient leads there."""
        try:
            found = evade(
                case.model,
                case.inputs[places],
                case.labels[places],
                ball=case.ball,
                keys=case.keys[places.cpu().numpy()],
                plan=plan,
                batch_size=case.batch_size,
                stop=case.stop,
            )
        except SubjectFailed:
            return None
        return found.adversarial, found.success, found.margin

    def _left(self) -> Tensor:
        return (~self._fell).nonzero().squeeze(1)

    def _standing(self) -> bool:
        return not bool(self._fell.all())

    def _judged(self, points: Tensor) -> Tensor:
        """Whether the model itself errs, by majority where it is random, (n,)."""
        if not self._random:
            return self._case.answers(points).argmax(1) != self._case.labels
        voting = replace(self._case, model=lambda batch: majority(self._case.model, batch, JUDGES))
        return voting.answers(points).argmax(1) != self._case.labels

    def _fall(self, stage: str, points: Tensor, fell: Tensor) -> None:
        new = fell & ~self._fell
        points = tighten(points, self._case.inputs, self._case.ball)
        new &= self._judged(points)
        self._points[new] = points[new]
        self._fell |= new
        self._stages.append((stage, int(new.sum())))

    def _judge_again(self) -> float:
        """Ask a random model anew, so that a lucky majority does not count; return the share of wrong answers."""
        wrong = torch.stack([self._case.answers(self._points).argmax(1) != self._case.labels for _ in range(JUDGES)])
        rates = wrong.double().mean(dim=0)
        rate = float(rates[self._fell].mean()) if bool(self._fell.any()) else 0.0
        self._fell &= rates > 0.5
        return rate

    def _result(self, clean_fell: Tensor, before: Tensor, rate: float) -> Examination:
        reason = self._watch.reason
        n_right = int((~clean_fell).sum()) if self._checks else 0
        if reason is None and n_right < _FEWEST_RIGHT:
            reason = f"only {n_right} inputs are classified rightly; at least {_FEWEST_RIGHT} are needed"
        verdict: Trust = "trustworthy" if reason is None else "could not decide"
        if any(check.flagged for check in self._checks):
            verdict = "masked"
        return Examination(
            verdict=verdict,
            checks=tuple(self._checks),
            clean=~clean_fell,
            before=before,
            after=self._fell,
            adversarial=self._points,
            wrong_rate=rate,
            stages=tuple(self._stages),
            repairs=tuple(self._repairs) if verdict == "masked" else (),
            reason=reason,
        )


def _check_labels(labels: Tensor, n_classes: int) -> None:
    if bool(((labels < 0) | (labels >= n_classes)).any()):
        msg = f"labels must be classes 0 to {n_classes - 1}, got {int(labels.min())} to {int(labels.max())}"
        raise ShapeMismatch(msg, hint="check that data and model number the classes alike")
