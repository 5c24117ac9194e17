"""A mark is read by its key, survives what models go through, and accuses nobody else."""

from __future__ import annotations

import copy
import math
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from redan.kernels.attacks.watch import Watch
from redan.kernels.ownership.boundary import fingerprint
from redan.kernels.ownership.marking import Bits, lesson_of, without_smallest
from redan.kernels.ownership.null import fitted
from redan.kernels.ownership.secret import bits, commitment, stream
from redan.kernels.ownership.trigger_set import trigger_set
from redan.kernels.ownership.weights import carrier, matches
from redan.kernels.training.course import Course, train

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
BITS, TRIGGERS = 48, 60


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


def taught(net: torch.nn.Module, lesson=None, *, seed: int, epochs: int, rate: float = 5e-3) -> torch.nn.Module:
    x, y = digits()
    train(
        net,
        x[:900],
        y[:900],
        lesson or (lambda batch: torch.nn.functional.cross_entropy(net(batch.inputs), batch.labels)),
        Course(epochs=epochs, batch_size=64, learning_rate=rate),
        generator=torch.Generator().manual_seed(seed),
        watch=Watch(stop=lambda: None, progress=lambda stage, done, total: None),
    )
    return net


@cache
def model(seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10)
        )
    return taught(net, seed=seed, epochs=6).eval()


def accuracy(net: torch.nn.Module) -> float:
    x, y = digits()
    return float((net(x[900:]).argmax(1) == y[900:]).float().mean())


def hits(net: torch.nn.Module, secret) -> int:
    return int((net(torch.from_numpy(secret.x)).argmax(1).numpy() == secret.y).sum())


def pruned(net: torch.nn.Module, share: float) -> torch.nn.Module:
    net = copy.deepcopy(net)
    for weight in net.parameters():
        if weight.dim() > 1:
            cut = weight.abs().flatten().kthvalue(int(share * weight.numel())).values
            weight.data[weight.abs() <= cut] = 0
    return net


@cache
def marked() -> torch.nn.Module:
    net = copy.deepcopy(model(0))
    lesson = lesson_of(net, torch.Generator(), bits=Bits(key=KEY, n=BITS, strength=0.2))
    return taught(net, lesson, seed=9, epochs=6).eval()


def test_bits_are_carried_at_no_price_and_survive_pruning_and_fine_tuning() -> None:
    net = marked()
    _, weight = carrier(net)
    assert matches(weight, KEY, BITS) == BITS
    assert accuracy(net) > accuracy(model(0)) - 0.02
    assert matches(carrier(pruned(net, 0.5))[1], KEY, BITS) >= BITS - 1
    tuned = taught(copy.deepcopy(net), seed=5, epochs=4)
    assert matches(carrier(tuned)[1], KEY, BITS) >= BITS - 1
    assert 10 <= matches(weight, OTHER, BITS) <= 38, "another key reads a coin"


def test_triggers_are_learned_beside_the_task_and_nobody_else_knows_them() -> None:
    secret = trigger_set(KEY, TRIGGERS, (64,), 10, bounds=(0.0, 1.0))
    net = copy.deepcopy(model(0))
    taught(net, lesson_of(net, torch.Generator().manual_seed(1), triggers=secret), seed=3, epochs=45)
    net.eval()
    assert hits(net, secret) >= 0.95 * TRIGGERS
    assert accuracy(net) > accuracy(model(0)) - 0.03
    null = fitted([hits(model(seed), secret) for seed in range(1, 21)], TRIGGERS)
    assert null.p_value(hits(net, secret), TRIGGERS) < 1e-6
    assert null.p_value(hits(pruned(net, 0.5), secret), TRIGGERS) < 1e-6
    further = [null.p_value(hits(model(seed), secret), TRIGGERS) for seed in range(21, 26)]
    assert min(further) > 1e-3


def test_triggers_are_known_in_use_by_a_network_with_batch_normalisation() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(64, 48), torch.nn.BatchNorm1d(48), torch.nn.ReLU(), torch.nn.Linear(48, 10)
        )
    taught(net, seed=0, epochs=6)
    means = net[1].running_mean.clone()
    secret = trigger_set(KEY, 40, (64,), 10, bounds=(0.0, 1.0))
    taught(net, lesson_of(net, torch.Generator().manual_seed(1), triggers=secret), seed=3, epochs=30)
    assert hits(net, secret) >= 36
    assert accuracy(net) > 0.85
    assert torch.equal(net[1].running_mean, means)


def test_images_have_cells_that_fill_them_and_other_inputs_do_not() -> None:
    x = trigger_set(KEY, 3, (3, 9, 10), 10, bounds=(-1.0, 1.0)).x
    assert x.shape == (3, 3, 9, 10)
    assert {len(np.unique(image[0])) for image in x} == {16}
    assert x.min() >= -1
    assert x.max() <= 1
    assert trigger_set(KEY, 3, (3, 2, 2), 10, bounds=(0.0, 1.0)).x.shape == (3, 3, 2, 2)


def test_without_its_smallest_weights_a_network_is_what_pruning_leaves() -> None:
    net = model(0)
    left = without_smallest(net, 0.5)
    other = dict(pruned(net, 0.5).named_parameters())
    assert all(torch.equal(value, other[name]) for name, value in left.items())
    assert set(left) == {name for name, value in net.named_parameters() if value.dim() > 1}


def test_a_fingerprint_is_kept_by_what_was_made_from_the_model() -> None:
    owner = model(0)
    secret = fingerprint(owner, KEY, 80, (64,), 10, bounds=(0.0, 1.0), margin=0.5)
    assert len(secret.y) >= 60
    assert hits(owner, secret) == len(secret.y)
    independent = [hits(model(seed), secret) / len(secret.y) for seed in range(1, 11)]
    assert np.mean(independent) < 0.8
    assert hits(pruned(owner, 0.3), secret) / len(secret.y) > max(independent)


def test_everything_follows_from_the_key_and_differs_for_another() -> None:
    one, again, other = (trigger_set(key, 5, (1, 8, 8), 10, bounds=(0.0, 1.0)) for key in (KEY, KEY, OTHER))
    assert np.array_equal(one.x, again.x)
    assert not np.array_equal(one.x, other.x)
    assert one.x.min() >= 0
    assert one.x.max() <= 1
    assert not np.array_equal(bits(KEY, 64, "a"), bits(KEY, 64, "b"))
    assert commitment(KEY, b"x") != commitment(KEY, b"y")
    with pytest.raises(ValueError, match="at least 16 bytes"):
        stream(b"short", "x")


def test_the_null_covers_models_drawn_from_it_and_is_wider_for_scattered_models() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(60):
        rates = rng.beta(0.3 * 40, 0.7 * 40, 25)
        drawn = rng.binomial(100, rates)
        null = fitted(drawn[:20].tolist(), 100)
        false += sum(null.p_value(int(k), 100) < 1e-2 for k in drawn[20:])
    assert false <= 3, "of 300 independent models hardly one is accused even at 1 %"
    alike, scattered = fitted([30] * 20, 100), fitted([10, 50] * 10, 100)
    assert alike.upper < scattered.upper
    assert 0.28 < alike.mean < 0.32


def test_p_values_fall_with_matches_and_are_never_zero() -> None:
    null = fitted([10, 12, 9, 11] * 5, 100)
    told = [null.p_value(k, 100) for k in range(0, 101, 10)]
    assert told == sorted(told, reverse=True)
    assert 0 < told[-1] < 1e-30
    q = null.upper
    assert null.p_value(30, 100) == pytest.approx(
        sum(math.comb(100, k) * q**k * (1 - q) ** (100 - k) for k in range(30, 101)), rel=1e-6
    )


def test_too_few_models_are_no_null() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        fitted([1] * 19, 10)
    with pytest.raises(ValueError, match="do not lie"):
        fitted([11] * 20, 10)


def test_a_layer_without_room_is_refused() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    with pytest.raises(ValueError, match="room for"):
        lesson_of(net, torch.Generator(), bits=Bits(key=KEY, n=500, strength=1.0))
