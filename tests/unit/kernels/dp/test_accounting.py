"""ε of sampled Gaussian steps against values measured beside Opacus and against closed forms."""

from __future__ import annotations

import math

import pytest

from redan.core.errors import UsageError
from redan.kernels.dp.accounting import Epsilon, Phase, epsilon, epsilon_of, noise_for


def gaussian_delta(epsilon: float, noise_multiplier: float) -> float:
    """δ of one Gaussian release with sensitivity 1: Balle and Wang 2018, theorem 5."""

    def normal(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    a, b = 1 / (2 * noise_multiplier), epsilon * noise_multiplier
    return normal(a - b) - math.exp(epsilon) * normal(-a - b)


@pytest.mark.parametrize(
    ("noise_multiplier", "sampling_rate", "steps", "delta", "pld", "rdp"),
    [
        (0.8, 1e-3, 100_000, 1e-6, 2.915, 3.188),
        (10.0, 1.0, 100, 1e-5, 4.377, 4.729),
        (3.0, 0.1, 10, 1e-5, 0.444, 0.507),
    ],
)
def test_epsilon_is_what_was_measured_beside_opacus_and_google(
    noise_multiplier: float, sampling_rate: float, steps: int, delta: float, pld: float, rdp: float
) -> None:
    found = epsilon(noise_multiplier, sampling_rate, steps, delta)

    assert found.pld == pytest.approx(pld, abs=6e-4)
    assert found.rdp == pytest.approx(rdp, abs=6e-4)
    assert found.pld < found.rdp


def test_epsilon_of_unsampled_steps_is_never_below_the_closed_form() -> None:
    # 100 Gaussian releases at σ = 10 are one at σ = 1
    found = epsilon(10.0, 1.0, 100, 1e-5).pld

    assert gaussian_delta(found, 1.0) <= 1e-5
    assert gaussian_delta(found - 0.01, 1.0) > 1e-5


def test_epsilon_falls_with_noise_and_rises_with_steps() -> None:
    base = epsilon(1.5, 0.01, 500, 1e-5).pld

    assert epsilon(2.0, 0.01, 500, 1e-5).pld < base < epsilon(1.5, 0.01, 800, 1e-5).pld


def test_phases_of_the_same_kind_cost_what_one_long_phase_costs() -> None:
    halves = [Phase(noise_multiplier=1.2, sampling_rate=0.02, steps=n) for n in (100, 200)]

    assert epsilon_of(halves, 1e-5).pld == pytest.approx(epsilon(1.2, 0.02, 300, 1e-5).pld, abs=1e-3)


def test_a_mixture_costs_more_than_either_part() -> None:
    parts = [
        Phase(noise_multiplier=1.2, sampling_rate=0.02, steps=100),
        Phase(noise_multiplier=5.0, sampling_rate=1.0, steps=1),
    ]
    alone = [epsilon_of([part], 1e-5).pld for part in parts]

    assert max(alone) < epsilon_of(parts, 1e-5).pld < sum(alone)


def test_no_step_costs_nothing() -> None:
    assert epsilon(1.0, 0.1, 0, 1e-5) == Epsilon(pld=0.0, rdp=0.0, delta=1e-5)


@pytest.mark.parametrize(("target", "sampling_rate", "steps"), [(1.0, 0.01, 100), (3.0, 1.0, 20), (8.0, 0.05, 40)])
def test_calibrated_noise_keeps_the_target_and_a_little_less_would_not(
    target: float, sampling_rate: float, steps: int
) -> None:
    noise_multiplier = noise_for(target, sampling_rate, steps, 1e-5)

    assert epsilon(noise_multiplier, sampling_rate, steps, 1e-5).pld <= target
    assert epsilon(noise_multiplier / 1.002, sampling_rate, steps, 1e-5).pld > target


@pytest.mark.parametrize(
    ("noise_multiplier", "sampling_rate", "steps", "delta"),
    [(0.0, 0.1, 1, 1e-5), (1.0, 0.0, 1, 1e-5), (1.0, 1.5, 1, 1e-5), (1.0, 0.1, -1, 1e-5), (1.0, 0.1, 1, 0.0)],
)
def test_values_out_of_range_are_refused(
    noise_multiplier: float, sampling_rate: float, steps: int, delta: float
) -> None:
    with pytest.raises(UsageError):
        epsilon(noise_multiplier, sampling_rate, steps, delta)


def test_a_target_out_of_reach_is_refused() -> None:
    with pytest.raises(UsageError):
        noise_for(0.0, 0.1, 10, 1e-5)
