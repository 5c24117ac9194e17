"""Plans of the cascade: which rounds, in which order, on which share of the survivors.

The numbers were chosen on Fashion-MNIST test images 2000-3999 with a small convolutional net, a multilayer perceptron
and a residual net with batch norm, each trained naturally and adversarially, and checked on other images
(`benchmarks/evasion_cascade.py` repeats the measurement). Linf falls mostly to targets, L2 mostly to funnels that begin
far outside the ball. What the first rounds leave over has nearly always one of the lowest margins, so the later rounds
give many steps to few samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from redan.kernels.attacks.apgd import ApgdSchedule
from redan.kernels.attacks.descent import Schedule
from redan.kernels.attacks.loss import Loss

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Norm
    from redan.kernels.attacks.minimum_norm import MinimumNorm

Depth: TypeAlias = Literal["quick", "standard", "deep"]
"""How much a plan of the cascade spends."""
Member: TypeAlias = Literal["apgd-ce", "apgd-dlr", "apgd-t", "fmn"]
"""Attacks that can run alone, under their papers' names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One pass of descents over the survivors that are nearest to falling."""

    name: str
    """Name of the stage in the waterfall."""
    schedule: Schedule | ApgdSchedule
    """Funnel descent or Auto-PGD, and its settings."""
    noise: float = 0.0
    """Length of the random start over eps; 0 starts at the input."""
    resume: bool = False
    """Start at the best point met so far instead."""
    rivals: int = 0
    """Nearest wrong classes to head for, one pass each; 0: one untargeted pass."""
    share: float = 1.0
    """Share of the survivors, those of the lowest margin met so far."""
    repeats: int = 1
    """Times all passes are run, each with new draws."""
    together: bool = False
    """Choose the samples once and run all passes of them in one batch: quicker where they are few, while apart a
    sample that falls is spared the passes that follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sequence of rounds, then the minimum-norm member."""

    name: str
    """Name of the plan."""
    rounds: tuple[Round, ...]
    """Rounds in order."""
    minimum_norm_steps: int
    """Steps of the minimum-norm member, over all samples that were classified correctly; 0: none."""
    minimum_norm: MinimumNorm = "fmn"
    """Which one; FMN starts at the best point of each sample."""
    witness_queries: int = 0
    """Queries of Square for each survivor at the end, as a witness that sees no gradient; 0: none, and none towards
    targets."""


_DESCENT = Round(name="descent", schedule=Schedule(steps=10))
_TARGETED = Round(name="targeted", schedule=Schedule(steps=15, funnel=2.0), noise=2.0, rivals=2, share=0.4)
_FOCUS = Round(
    name="focus",
    schedule=Schedule(steps=40, step_last=0.02, funnel=2.0),
    noise=2.0,
    rivals=3,
    share=0.08,
    together=True,
)
_POLISH = Round(name="polish", schedule=Schedule(steps=40, step_first=0.25, step_last=0.005), resume=True, share=0.08)
_LAST = Round(
    name="last mile",
    schedule=Schedule(steps=100, step_last=0.01, funnel=2.0),
    noise=2.0,
    share=0.03,
    repeats=2,
    together=True,
)
_LAST_TARGETED = replace(_LAST, name="last rivals", rivals=2, repeats=1)
_FUNNEL = Round(name="funnel", schedule=Schedule(steps=20, funnel=4.0), noise=4.0)
_FAR_FUNNEL = Round(name="far funnel", schedule=Schedule(steps=40, funnel=6.0), noise=6.0, share=0.3, repeats=4)
_WIDE_FUNNEL = Round(name="wide funnel", schedule=Schedule(steps=40, funnel=12.0), noise=12.0, share=0.4, repeats=3)
"""On a residual net trained for Linf these turned as many of what the rounds before left over as FAB-T does."""

_SPARSE = Schedule(steps=20, funnel=8.0)
_SPARSE_FUNNEL = Round(name="funnel", schedule=_SPARSE)
_SPARSE_TARGETED = Round(name="targeted", schedule=_SPARSE, rivals=2, share=0.4)
_SPARSE_FAR = Round(name="far funnel", schedule=Schedule(steps=40, funnel=8.0), noise=4.0, share=0.5, repeats=2)
_COUNTED = Schedule(steps=20, step_last=1.0, funnel=4.0)
_COUNTED_DESCENT = Round(name="descent", schedule=_COUNTED)
_COUNTED_RANDOM = Round(name="random", schedule=_COUNTED, noise=1.0, repeats=3)

_PLANS: dict[tuple[Depth, Norm], Plan] = {
    ("quick", "linf"): Plan(
        name="quick",
        rounds=(_DESCENT, replace(_TARGETED, rivals=1, share=0.3), replace(_POLISH, share=0.03)),
        minimum_norm_steps=10,
    ),
    ("standard", "linf"): Plan(
        name="standard",
        rounds=(_DESCENT, _TARGETED, _FOCUS, _POLISH, _LAST_TARGETED, _LAST),
        minimum_norm_steps=15,
    ),
    ("deep", "linf"): Plan(
        name="deep",
        rounds=(
            _DESCENT,
            replace(_TARGETED, rivals=3, share=1.0),
            replace(_FOCUS, share=0.2, repeats=4),
            replace(_POLISH, share=0.2),
            replace(_LAST_TARGETED, rivals=5, share=0.05),
            replace(_LAST, share=0.05, repeats=6),
        ),
        minimum_norm_steps=50,
        witness_queries=300,
    ),
    ("quick", "l2"): Plan(name="quick", rounds=(_FUNNEL,), minimum_norm_steps=10),
    ("standard", "l2"): Plan(
        name="standard",
        rounds=(
            _DESCENT,
            _FUNNEL,
            _TARGETED,
            replace(_FAR_FUNNEL, repeats=2),
            _WIDE_FUNNEL,
            _POLISH,
            replace(_LAST_TARGETED, rivals=3, share=0.05, repeats=2),
        ),
        minimum_norm_steps=20,
    ),
    ("deep", "l2"): Plan(
        name="deep",
        rounds=(
            _DESCENT,
            _FUNNEL,
            replace(_TARGETED, rivals=3, share=1.0),
            replace(_FAR_FUNNEL, share=0.6, repeats=4),
            replace(_WIDE_FUNNEL, share=0.8, repeats=6),
            replace(_POLISH, share=0.2),
            replace(_LAST_TARGETED, rivals=5, share=0.08, repeats=2),
        ),
        minimum_norm_steps=50,
        witness_queries=300,
    ),
    ("quick", "l1"): Plan(name="quick", rounds=(_SPARSE_FUNNEL,), minimum_norm_steps=10),
    ("standard", "l1"): Plan(
        name="standard", rounds=(_SPARSE_FUNNEL, _SPARSE_TARGETED, _SPARSE_FAR), minimum_norm_steps=20
    ),
    ("deep", "l1"): Plan(
        name="deep",
        rounds=(
            _SPARSE_FUNNEL,
            replace(_SPARSE_TARGETED, rivals=3, share=1.0),
            replace(_SPARSE_FAR, share=0.6, repeats=8),
        ),
        minimum_norm_steps=50,
    ),
    ("quick", "l0"): Plan(name="quick", rounds=(_COUNTED_DESCENT,), minimum_norm_steps=20),
    ("standard", "l0"): Plan(name="standard", rounds=(_COUNTED_DESCENT, _COUNTED_RANDOM), minimum_norm_steps=50),
    ("deep", "l0"): Plan(
        name="deep",
        rounds=(_COUNTED_DESCENT, replace(_COUNTED_RANDOM, repeats=8)),
        minimum_norm_steps=200,
    ),
}


def plan_for(depth: Depth, norm: Norm) -> Plan:
    """The cascade of a depth and a norm.

    Raises:
        ValueError: there is no such depth or norm.
    """
    try:
        return _PLANS[depth, norm]
    except KeyError:
        msg = f'there is no plan {depth!r} for {norm!r}; depths are "quick", "standard" and "deep"'
        raise ValueError(msg) from None


def fgsm() -> Plan:
    """One step of length eps against the gradient of the cross-entropy.

    Source: Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4.
    """
    only = Round(name="fgsm", schedule=Schedule(steps=1, carry=0.0, loss="ce"))
    return Plan(name="fgsm", rounds=(only,), minimum_norm_steps=0)


def pgd(steps: int = 40, restarts: int = 1, step: float | None = None) -> Plan:
    """Steps of one length on the cross-entropy, from random points of the ball, without momentum.

    Args:
        steps: gradients a sample and restart.
        restarts: random starts.
        step: length of a step over eps; 2.5 / steps when absent.

    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2.1.
    """
    length = 2.5 / max(1, steps) if step is None else step
    schedule = Schedule(steps=steps, step_first=length, step_last=length, carry=0.0, loss="ce")
    only = Round(name="pgd", schedule=schedule, noise=1.0, repeats=restarts)
    return Plan(name="pgd", rounds=(only,), minimum_norm_steps=0)


def minimum_norm(method: MinimumNorm, steps: int) -> Plan:
    """One minimum-norm attack alone."""
    return Plan(name=method, rounds=(), minimum_norm_steps=steps, minimum_norm=method)


def member(name: Member) -> Plan:
    """A plan of one attack alone, as its paper sets it: 100 steps from a random start, nine targets for APGD-T.

    Raises:
        ValueError: there is no member of that name.
    """
    settings: dict[Member, tuple[Loss, int]] = {
        "apgd-ce": ("ce", 0),
        "apgd-dlr": ("dlr", 0),
        "apgd-t": ("targeted-dlr", 9),
    }
    if name == "fmn":
        return minimum_norm(name, 100)
    if name not in settings:
        msg = f"there is no member {name!r}; members are {', '.join(settings)} and fmn"
        raise ValueError(msg)
    loss, rivals = settings[name]
    only = Round(name=name, schedule=ApgdSchedule(steps=100, loss=loss), noise=1.0, rivals=rivals)
    return Plan(name=name, rounds=(only,), minimum_norm_steps=0)
