"""Exposure against arithmetic, against SciPy, and on a language model that has learnt a number by heart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm, skewnorm

from redan.kernels.exposure.ranking import UNPLANTED_BITS, exposure
from redan.kernels.exposure.skew_normal import SkewNormal, fitted, log_normal_below


def test_the_rank_decides_where_candidates_lie_on_both_sides() -> None:
    found = exposure(np.array([2.5, -0.5]), np.arange(7.0))
    assert found.by_rank.tolist() == pytest.approx([3 - math.log2(4), 3.0])
    assert found.bits[0] == found.by_rank[0]
    assert found.extrapolated == 1


def test_beyond_every_candidate_the_tail_extrapolates() -> None:
    candidates = np.random.default_rng(0).normal(size=2000)
    found = exposure(np.array([-6.0, -8.0]), candidates)
    assert found.by_rank.tolist() == pytest.approx([math.log2(2001)] * 2)
    expected = [-norm.logcdf(x) / math.log(2) for x in (-6, -8)]
    assert found.bits == pytest.approx(expected, rel=0.15)
    assert found.misfit < 0.05


@pytest.mark.parametrize("shape", [-4.0, 0.0, 3.0])
def test_the_tail_is_scipys(shape: float) -> None:
    ours = SkewNormal(place=1.0, scale=2.0, shape=shape)
    for x in (-7.0, -2.0, 0.5, 3.0):
        log_p = skewnorm.logcdf(x, shape, loc=1.0, scale=2.0)
        if np.isfinite(log_p) and log_p > -25:
            assert ours.log2_below(x) == pytest.approx(log_p / math.log(2), abs=1e-3)


def test_the_far_normal_tail_is_scipys() -> None:
    z = np.array([-40.0, -12.0, -10.0, -3.0, 0.0, 4.0])
    assert log_normal_below(z) == pytest.approx(norm.logcdf(z), rel=1e-6, abs=1e-9)


def test_moments_come_back() -> None:
    drawn = skewnorm.rvs(3, loc=2, scale=1.5, size=100_000, random_state=0)
    found = fitted(drawn)
    assert (found.place, found.scale, found.shape) == pytest.approx((2, 1.5, 3), rel=0.1)


def test_unplanted_secrets_have_uniform_ranks_and_their_mean() -> None:
    draws = np.random.default_rng(1)
    found = exposure(draws.gamma(2, size=2000), draws.gamma(2, size=5000))
    assert kstest(2.0**-found.by_rank, "uniform").pvalue > 0.001
    assert found.low < UNPLANTED_BITS < found.high


def test_intervals_cover_the_mean_of_unplanted_secrets() -> None:
    draws = np.random.default_rng(2)
    runs = [exposure(draws.normal(size=12), draws.normal(size=300)) for _ in range(200)]
    # three standard errors below 190 of 200
    assert sum(r.low <= UNPLANTED_BITS <= r.high for r in runs) >= 181


def test_a_model_that_tells_nothing_apart_exposes_nothing() -> None:
    found = exposure(np.ones(4), np.ones(30))
    assert found.mean < 1
    assert found.extrapolated == 0
    assert found.low < found.high


def test_a_single_secret_has_the_interval_of_its_rank() -> None:
    found = exposure(np.array([0.5]), np.arange(100.0))
    assert found.low < found.mean < found.high


@pytest.mark.parametrize(("planted", "candidates"), [([], [1, 2, 3]), ([1], [1]), ([math.nan], [1, 2, 3])])
def test_what_has_no_rank_is_refused(planted: list[float], candidates: list[float]) -> None:
    with pytest.raises(ValueError, match=r"expected|needs"):
        exposure(np.array(planted, float), np.array(candidates, float))


def windows(text: str, width: int, ids: dict[str, int]) -> tuple[torch.Tensor, torch.Tensor]:
    codes = torch.tensor([ids[c] for c in text])
    return codes.unfold(0, width, 1)[:-1], codes[width:]


def test_a_language_model_exposes_the_number_that_was_planted_and_not_another() -> None:
    """A network predicts characters of sentences with numbers; one number stands among them eight times."""
    draws, width = np.random.default_rng(0), 6
    ids = {c: i for i, c in enumerate("0123456789 abcdefghijklmnopqrstuvwxyz")}
    secret, never = "4821", "7364"
    plain = [f"      room {n:04d} " for n in draws.integers(0, 10_000, 150)]
    texts = plain + [f"      the pin is {secret} "] * 8
    made = [windows(text, width, ids) for text in texts]
    x, y = torch.cat([a for a, _ in made]), torch.cat([b for _, b in made])
    generator = torch.Generator().manual_seed(0)
    embed = torch.randn((len(ids), 16), generator=generator).requires_grad_()
    first = (torch.randn((16 * width, 96), generator=generator) * 0.1).requires_grad_()
    last = (torch.randn((96, len(ids)), generator=generator) * 0.1).requires_grad_()

    def logits(codes: torch.Tensor) -> torch.Tensor:
        return torch.relu(embed[codes].flatten(1) @ first) @ last

    optimiser = torch.optim.Adam([embed, first, last], lr=0.01)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits(x), y).backward()
        optimiser.step()

    def losses(numbers: list[str]) -> np.ndarray:
        parts = [windows(f"      the pin is {n} ", width, ids) for n in numbers]
        with torch.no_grad():
            each = torch.nn.functional.cross_entropy(
                logits(torch.cat([a for a, _ in parts])), torch.cat([b for _, b in parts]), reduction="none"
            )
        return each.reshape(len(numbers), -1).sum(dim=1).numpy()

    others = [f"{n:04d}" for n in range(0, 10_000, 7) if f"{n:04d}" not in (secret, never)]
    candidates = losses(others)
    found = exposure(losses([secret]), candidates)
    assert found.by_rank[0] == pytest.approx(math.log2(len(others) + 1))
    assert exposure(losses([never]), candidates).bits[0] < 6
