"""What a thief asks, in which order, and what his copy is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from redan.kernels.attacks.watch import Watch
from redan.kernels.draws import sample_keys
from redan.kernels.extraction.clone import Pace, architecture, probabilities
from redan.kernels.extraction.stealing import augmented, knockoff

PACE = Pace(epochs=15)


@pytest.fixture(scope="module")
def victim():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    return LogisticRegression(max_iter=300).fit(x[:600], y[:600]), x[600:]


def watch() -> Watch:
    return Watch(stop=lambda: None, progress=lambda stage, done, total: None)


def agree(model, net, x) -> float:
    told = probabilities(net, torch.as_tensor(x)).argmax(dim=1).numpy()
    return float((told == model.predict(x)).mean())


def test_more_queries_buy_a_better_copy_and_no_input_is_asked_twice(victim) -> None:
    model, x = victim
    keys = sample_keys(0, "t", np.arange(600))
    for sampling in ("random", "active"):
        theft = knockoff(
            model.predict_proba, x[:600], (30, 150, 500), keys=keys, sampling=sampling, pace=PACE, seed=1, watch=watch()
        )
        assert len(np.unique(theft.x, axis=0)) == 500
        reached = [agree(model, one.net, x[600:]) for one in theft.copies]
        assert reached[0] < reached[-1]
        assert reached[-1] > 0.9, sampling
        assert np.allclose(theft.told, model.predict_proba(theft.x))


def test_the_same_seed_steals_the_same_copy(victim) -> None:
    model, x = victim
    keys = sample_keys(0, "t", np.arange(200))
    found = [
        knockoff(model.predict_proba, x[:200], (60,), keys=keys, sampling="random", pace=PACE, seed=s, watch=watch())
        for s in (1, 1, 2)
    ]
    told = [probabilities(one.copies[0].net, torch.as_tensor(x[:50])) for one in found]
    assert torch.equal(told[0], told[1])
    assert not torch.equal(told[0], told[2])


def test_augmentation_doubles_its_queries_stays_in_bounds_and_moves_by_its_step(victim) -> None:
    model, x = victim
    theft = augmented(model.predict_proba, x[:40], 300, step=0.1, bounds=(0.0, 1.0), pace=PACE, seed=0, watch=watch())
    assert [one.queries for one in theft.copies] == [40, 80, 160, 300]
    assert theft.x.min() >= 0
    assert theft.x.max() <= 1
    moved = np.abs(theft.x[40:80] - theft.x[:40])
    assert moved.max() <= 0.1 + 1e-6
    assert moved.max() > 0.09
    assert agree(model, theft.copies[-1].net, x[400:]) > agree(model, theft.copies[0].net, x[400:])


def test_a_copy_of_images_has_convolutions_and_a_copy_of_tables_has_none() -> None:
    kinds = {
        shape: any(isinstance(part, torch.nn.Conv2d) for part in architecture(torch.zeros(4, *shape), 3).modules())
        for shape in ((1, 28, 28), (3, 9, 11), (64,), (1, 4, 4))
    }
    assert kinds == {(1, 28, 28): True, (3, 9, 11): True, (64,): False, (1, 4, 4): False}
    for shape in kinds:
        assert architecture(torch.rand(4, *shape), 3)(torch.rand(5, *shape)).shape == (5, 3)


def test_a_thief_who_is_stopped_keeps_the_copies_he_has(victim) -> None:
    model, x = victim
    calls = []

    def stop() -> str | None:
        calls.append(1)
        return "enough" if len(calls) > 12 else None

    theft = knockoff(
        model.predict_proba,
        x[:200],
        (60, 150),
        keys=sample_keys(0, "t", np.arange(200)),
        sampling="random",
        pace=PACE,
        seed=1,
        watch=Watch(stop=stop, progress=lambda stage, done, total: None),
    )
    assert len(theft.copies) <= 1
