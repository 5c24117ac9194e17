"""Six seeded bugs are caught, a right step passes, and the false-alarm rate is what it says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from redan.core.errors import SubjectFailed
from redan.kernels.dp.conformance.contract import Check, Records
from redan.kernels.dp.conformance.examining import N_CHECKS, STATISTICS, examine
from redan.kernels.dp.conformance.own import own_factory
from redan.kernels.dp.step import Privacy

CLIP, NOISE, RATE, EXPECTED = 1.0, 1.1, 0.05, 20.0


def net(*, normalised: bool = False) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        middle = [nn.BatchNorm1d(32)] if normalised else []
        return nn.Sequential(nn.Linear(20, 32), *middle, nn.Tanh(), nn.Linear(32, 4))


def records() -> Records:
    draws = np.random.default_rng(0)
    return Records(x=draws.normal(size=(12, 20)).astype(np.float32), y=draws.integers(0, 4, 12))


class Naive:
    """DP-SGD as a textbook has it, a record at a time, with a place for each bug."""

    clip, noise_multiplier, sampling_rate, normaliser = CLIP, NOISE, RATE, EXPECTED

    def __init__(self, n_rows: int, seed: int, bug: str = "") -> None:
        self.bug, self.n_rows, self.seed = bug, n_rows, seed
        self.draws = np.random.default_rng(seed)
        self.net = net(normalised=bug == "batch norm")
        self.order: list[int] = []
        if bug == "normaliser from the data":
            self.sampling_rate = 1 / math.ceil(n_rows / 64)
            self.normaliser = int(n_rows * self.sampling_rate)

    def rows(self) -> Any:
        if self.bug != "shuffle as Poisson":
            return np.flatnonzero(self.draws.random(self.n_rows) < self.sampling_rate)
        size = round(self.n_rows * RATE)
        if len(self.order) < size:
            self.order = list(self.draws.permutation(self.n_rows))
        taken, self.order = self.order[:size], self.order[size:]
        return np.array(taken)

    def gradient(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.net.zero_grad()
        cross_entropy(self.net(x), y, reduction="sum").backward()
        return torch.cat([p.grad.reshape(-1) for p in self.net.parameters() if p.grad is not None])

    def update(self, x: Any, y: Any) -> Any:
        x, y = torch.as_tensor(x), torch.as_tensor(y)
        size = sum(p.numel() for p in self.net.parameters())
        if self.bug == "batch norm":
            total = self.in_company(x, y, size)
        elif self.bug == "per-batch clip":
            mean = self.gradient(x, y) / len(x) if len(x) else torch.zeros(size)
            total = EXPECTED * mean / max(1.0, float(mean.norm()) / CLIP)
        else:
            parts = [self.gradient(x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
            clip = math.inf if self.bug == "no clip" else CLIP
            total = sum((g / max(1.0, float(g.norm()) / clip) for g in parts), torch.zeros(size))
        draws = np.random.default_rng(self.seed) if self.bug == "reused noise" else self.draws
        noise = draws.normal(size=size) * NOISE * CLIP
        if self.bug == "noise/√2":
            noise /= math.sqrt(2)
        if self.bug == "a layer without noise":
            noise[-4:] = 0
        return (total.numpy() + noise) / self.normaliser

    def in_company(self, x: torch.Tensor, y: torch.Tensor, size: int) -> torch.Tensor:
        """Per-record gradients of a loss in which the records see each other."""
        total = torch.zeros(size)
        if len(x) < 2:
            return total
        for loss in cross_entropy(self.net(x), y, reduction="none"):
            found = torch.autograd.grad(loss, list(self.net.parameters()), retain_graph=True)
            flat = torch.cat([g.reshape(-1) for g in found])
            total += flat / max(1.0, float(flat.norm()) / CLIP)
        return total


def examined(bug: str, seed: int = 0) -> dict[str, Check]:
    checks = examine(lambda n, s: Naive(n, s, bug), records(), seed, lambda: None)
    return {check.name: check for check in checks}


@pytest.mark.parametrize(
    ("bug", "promise"),
    [
        ("no clip", "clipping"),
        ("per-batch clip", "clipping"),
        ("noise/√2", "noise scale"),
        ("shuffle as Poisson", "Poisson sampling"),
        ("reused noise", "fresh noise"),
        ("batch norm", "separate records"),
        ("a layer without noise", "noise scale"),
        ("normaliser from the data", "public numbers"),
    ],
)
def test_a_seeded_bug_is_caught_by_the_check_for_it(bug: str, promise: str) -> None:
    found = examined(bug)

    assert found[promise].verdict == "broken", found
    if bug not in ("per-batch clip", "batch norm", "noise/√2", "a layer without noise"):  # these break several
        assert [c.name for c in found.values() if c.verdict == "broken"] == [promise]


def test_a_textbook_step_keeps_every_promise() -> None:
    found = examined("")

    assert [c.verdict for c in found.values()] == ["kept"] * N_CHECKS, found


def own() -> Any:
    def losses(answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(answers, labels, reduction="none")

    privacy = Privacy(noise_multiplier=NOISE, clip=CLIP, sampling_rate=RATE, batch_size=EXPECTED, steps=100)
    return own_factory(net(), losses, privacy)


def test_our_own_step_keeps_every_promise() -> None:
    found = list(examine(own(), records(), 0, lambda: None))

    assert [c.verdict for c in found] == ["kept"] * N_CHECKS, found


def test_it_ends_when_there_is_a_reason_to() -> None:
    asked: list[int] = []

    def stop() -> str | None:
        asked.append(1)
        return "enough" if len(asked) > 2 else None

    assert len(list(examine(own(), records(), 0, stop))) == 2


def test_noise_that_the_seed_does_not_decide_is_refused() -> None:
    count = iter(range(1000))

    with pytest.raises(SubjectFailed, match="same seed differ"):
        list(examine(lambda n, s: Naive(n, next(count)), records(), 0, lambda: None))


@pytest.mark.parametrize(
    "broken",
    [lambda n, s: 1 / 0, lambda n, s: object(), type("Bad", (Naive,), {"clip": 0.0})],
    ids=["raises", "something else", "no promise"],
)
def test_a_factory_that_makes_no_step_is_told_so(broken: Any) -> None:
    with pytest.raises(SubjectFailed):
        list(examine(broken, records(), 0, lambda: None))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_at_most_the_promised_share_of_right_steps_is_accused() -> None:
    make, runs = own(), 100
    accused = sum(any(c.verdict == "broken" for c in examine(make, records(), s, lambda: None)) for s in range(runs))

    # 99.9 % quantile of a binomial with n = 100 and rate 0.001
    assert accused <= 2
    assert STATISTICS == 26
