"""Model inversion, gradient leakage and canary exposure on small real models."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from redan.core.budget import Budget, Limits
from redan.core.errors import UsageError
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject
from redan.threats.privacy.probes.canary_exposure import CanaryExposure, CanaryExposureParams
from redan.threats.privacy.probes.gradient_leakage import GradientLeakage, GradientLeakageParams
from redan.threats.privacy.probes.model_inversion import ModelInversion, ModelInversionParams


def digits(start: int, stop: int) -> Dataset:
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x[start:stop] / 16).astype(np.float32).reshape(-1, 1, 8, 8),
        y=y[start:stop].astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


@cache
def network() -> TorchSubject:
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    for weight in net.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    data = digits(0, 1000)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-3)
    for _ in range(50):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return TorchSubject(net, options=Options(name="digits", bounds=(0.0, 1.0)))


def one(found: list[Finding]) -> Finding:
    assert len(found) == 1
    return found[0]


def test_inversion_shows_classes_and_says_that_they_are_averages() -> None:
    given = Inputs(train=digits(0, 1000), test=digits(1000, 1700))
    params = ModelInversionParams(plan="quick")
    found = one(list(ModelInversion().run(network(), given, params, budget=Budget(), seed=0, observe=SILENT)))
    shown = found.quantity("classes_recognised")
    assert shown is not None
    assert shown.value >= 0.5
    assert "averages of a class, not records" in found.detail
    assert {"inverted", "classes"} <= {blob.name for blob in found.evidence}
    assert found.severity in (Severity.LOW, Severity.MEDIUM)


def test_the_gradient_of_one_row_gives_it_away_and_noise_hides_it() -> None:
    params = GradientLeakageParams(plan="quick")
    given = Inputs(test=digits(1000, 1020))
    found = one(list(GradientLeakage().run(network(), given, params, budget=Budget(), seed=0, observe=SILENT)))
    rebuilt = found.quantity("rows_reconstructed")
    assert rebuilt is not None
    assert rebuilt.value == 1
    assert found.severity == Severity.HIGH
    rows = {row[0]: row for row in found.tables[0].rows}
    assert rows["as computed"][3] == 1
    assert rows["clipped to 1, noise 0.1"][3] == 0
    assert rows["as computed"][5] == 100
    assert [blob.media_type for blob in found.evidence] == ["image/png"]


def test_a_budget_cuts_gradient_leakage_short_and_it_says_so() -> None:
    params = GradientLeakageParams(plan="quick")
    budget = Budget(limits=Limits(queries=1))
    found = one(
        list(GradientLeakage().run(network(), Inputs(test=digits(0, 9)), params, budget=budget, seed=0, observe=SILENT))
    )
    assert all(q.partial for q in found.quantities)
    params = GradientLeakageParams(threshold_db=0.0)
    with pytest.raises(UsageError, match="above 0 dB"):
        list(GradientLeakage().run(network(), Inputs(test=digits(0, 9)), params, budget=budget, seed=0, observe=SILENT))


def noise(n: int, seed: int) -> Dataset:
    draws = np.random.default_rng(seed)
    return Dataset(
        x=draws.random((n, 64)), y=draws.integers(0, 10, n), name="noise", sha256="", indices=np.arange(n) + 10_000
    )


def exposed(planted: bool, seed: int = 0) -> Finding:
    """Canaries with random inputs and classes; a classifier by nearest rows learns whatever it is given."""
    plain = digits(0, 600)
    canaries, candidates = noise(12, 2 * seed + 1), noise(400, 2 * seed + 2)
    x, y = plain.x.reshape(600, -1), plain.y
    if planted:
        x, y = np.concatenate([x, canaries.x]), np.concatenate([y, canaries.y])
    model = KNeighborsClassifier(15, weights="distance").fit(x, y)
    subject = SklearnSubject(model, options=Options(name="nearest"))
    given = Inputs(canary=canaries, reference=candidates)
    return one(
        list(CanaryExposure().run(subject, given, CanaryExposureParams(), budget=Budget(), seed=0, observe=SILENT))
    )


def test_planted_canaries_stand_out() -> None:
    found = exposed(planted=True)
    assert found.severity >= Severity.MEDIUM
    bits = found.quantity("canary_exposure")
    assert bits is not None
    assert bits.low > 3


def test_canaries_that_were_not_planted_do_not() -> None:
    runs = [exposed(planted=False, seed=seed) for seed in range(5)]
    assert sum(found.severity > Severity.INFO for found in runs) <= 1
    bits = [found.quantity("canary_exposure") for found in runs]
    assert np.mean([b.value for b in bits if b is not None]) == pytest.approx(1.44, abs=0.6)


def test_order_of_canaries_changes_nothing() -> None:
    data = digits(0, 40)
    given = Inputs(canary=data, reference=digits(100, 200))
    turned = replace(given, canary=data.rows(np.arange(40)[::-1]))
    found = [
        one(list(CanaryExposure().run(network(), g, CanaryExposureParams(), budget=Budget(), seed=0, observe=SILENT)))
        for g in (given, turned)
    ]
    assert found[0].series == found[1].series
