"""A private step bounds each row, adds noise of the promised size, and shows nothing of how many rows there are."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chi2, kstest
from torch import nn
from torch.nn import functional

from redan.core.errors import CapabilityMissing, SubjectFailed, UsageError
from redan.kernels.attacks.watch import Watch
from redan.kernels.dp.sampling import Streams, poisson_rows
from redan.kernels.dp.step import Privacy, PrivateStep
from redan.kernels.dp.training import train_privately
from redan.kernels.training.randomness import generator, own_randomness

PRIVACY = Privacy(noise_multiplier=1.5, clip=0.5, sampling_rate=0.1, batch_size=8, steps=12)


def losses(answers, labels):
    return functional.cross_entropy(answers, labels, reduction="none")


def net_of(width=64):
    with own_randomness(0, "weights"):
        return nn.Sequential(nn.Linear(20, width), nn.Tanh(), nn.Linear(width, 4))


def data(n):
    inputs = torch.randn(n, 20, generator=generator(1, "x"))
    return inputs, (inputs[:, 0] > 0).long()


def step_of(net, noise_multiplier=1.5, rows_at_once=None, seed=0):
    privacy = Privacy(noise_multiplier=noise_multiplier, clip=0.5, sampling_rate=0.1, batch_size=8, steps=1)
    return PrivateStep(net, losses, privacy, generator(seed, "noise"), rows_at_once)


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def test_noise_has_the_promised_size_in_every_step_and_is_never_used_again():
    step, found = step_of(net_of(500)), []
    for _ in range(3):
        noise = flat(step.gradients(*data(0))).double() * 8 / (1.5 * 0.5)
        assert chi2.cdf(float((noise**2).sum()), len(noise)) == pytest.approx(0.5, abs=0.4999)
        assert kstest(noise.numpy(), "norm").pvalue > 1e-4
        found.append(noise)
    assert abs(float(torch.corrcoef(torch.stack(found[:2]))[0, 1])) < 0.05
    assert not torch.equal(found[0], found[2])


def test_one_more_row_moves_the_sum_by_at_most_the_clipping_norm():
    net = net_of()
    inputs, labels = data(30)
    inputs[-1] *= 1e4
    step = step_of(net)
    less, more = flat(step.clipped_sum(inputs[:-1], labels[:-1])), flat(step.clipped_sum(inputs, labels))
    assert 0.4 < float((more - less).norm()) <= 0.5 + 1e-5


def test_n_and_n_plus_1_rows_get_the_same_noise_the_same_divisor_and_as_many_steps():
    taken = []
    for n in (128, 129):  # these change the divisor where it is made from the length of a loader
        net = net_of()
        for parameter in net.parameters():
            parameter.data.zero_()
        inputs, labels = torch.zeros(n, 20), torch.zeros(n, dtype=torch.int64)
        # constant answers of a net without weights: only the last bias gets a gradient, the rest is noise
        run = train_privately(
            net, inputs, labels, losses, PRIVACY,
            optimiser="sgd", learning_rate=1e-6, streams=Streams(3), watch=Watch(),
        )  # fmt: skip
        taken.append((run.steps, net[0].weight.detach().clone()))
    assert taken[0][0] == taken[1][0] == PRIVACY.steps
    assert torch.equal(taken[0][1], taken[1][1])
    assert taken[0][1].any()


def test_rows_are_chosen_one_by_one():
    sizes = torch.tensor([float(len(poisson_rows(1000, 0.1, Streams(7).rows(i)))) for i in range(1500)])
    assert float(sizes.mean()) == pytest.approx(100, abs=1.5)
    assert float(sizes.var()) == pytest.approx(90, rel=0.15)  # a shuffle has 0
    assert len(poisson_rows(10, 1.0, Streams(0).rows(0))) == 10
    assert len(poisson_rows(0, 0.5, Streams(0).rows(0))) == 0


def test_rows_at_once_change_the_memory_and_not_the_sum():
    net = net_of()
    whole = step_of(net).clipped_sum(*data(30))
    for at_once in (1, 7, 30, 99):
        parts = step_of(net, rows_at_once=at_once).clipped_sum(*data(30))
        assert torch.allclose(flat(whole), flat(parts), atol=1e-5)


def test_a_step_without_rows_is_noise_alone():
    assert float(flat(step_of(net_of(), noise_multiplier=0.0).gradients(*data(0))).abs().sum()) == 0
    assert float(flat(step_of(net_of()).gradients(*data(0))).abs().sum()) > 0


def trained(seed, **more):
    net = net_of()
    train_privately(
        net, *data(200), losses, PRIVACY,
        optimiser="adam", learning_rate=0.01, streams=Streams(seed), watch=Watch(**more),
    )  # fmt: skip
    return flat(p.detach() for p in net.parameters())


def test_the_same_seed_gives_the_same_weights_and_random_state_stays():
    before = torch.get_rng_state()
    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_secret_noise_is_another_each_time_and_still_normal():
    assert not torch.equal(trained(None), trained(None))
    streams = Streams(None)
    assert streams.secret
    drawn = torch.randn(200_000, generator=streams.noise, dtype=torch.float64)
    assert kstest(drawn.numpy(), "norm").pvalue > 1e-5
    assert not torch.equal(torch.rand(9, generator=streams.rows(0)), torch.rand(9, generator=streams.rows(0)))
    cells = streams.noise.get_state()[24 : 24 + 8 * 624].view(torch.int64)
    assert len(set(cells.tolist())) > 600  # the whole state is random, not only a seed of 32 bits
    assert 0 <= int(cells.min()) < int(cells.max()) < 2**32


def test_a_budget_ends_training_between_steps():
    asked = iter([None] * 5)
    watch = Watch(stop=lambda: next(asked, "enough"))
    run = train_privately(
        net_of(), *data(50), losses, PRIVACY, optimiser="sgd", learning_rate=0.1, streams=Streams(0), watch=watch
    )
    assert (run.steps, run.reason) == (5, "enough")


def test_numbers_that_are_none_of_a_training_are_refused():
    good = {"noise_multiplier": 1.0, "clip": 1.0, "sampling_rate": 0.1, "batch_size": 8, "steps": 1}
    for name, value in [
        ("clip", 0.0),
        ("sampling_rate", 1.1),
        ("batch_size", -1),
        ("steps", 0),
        ("noise_multiplier", -1),
    ]:
        with pytest.raises(UsageError, match=name):
            Privacy(**{**good, name: value})
    with pytest.raises(UsageError, match="learning_rate"):
        train_privately(
            net_of(), *data(9), losses, PRIVACY, optimiser="sgd", learning_rate=0.0, streams=Streams(0), watch=Watch()
        )


class Twofold(nn.Module):
    """Uses the weight of its layer once more by a function."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(20, 20)

    def forward(self, x):
        return functional.linear(torch.tanh(self.layer(x)), self.layer.weight)


def test_the_first_step_rehearses_whatever_the_mode():
    with own_randomness(0, "weights"):
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, batch_first=True)
        net = nn.Sequential(nn.Unflatten(1, (5, 4)), layer, nn.Dropout(), nn.Flatten(), nn.Linear(20, 4))
    for mode in (net.train(), net.eval()):
        step_of(mode).gradients(*data(6))
    assert (layer.self_attn.dropout, layer.dropout.p, net[2].p) == (0.3, 0.3, 0.5)
    with pytest.raises(CapabilityMissing, match="not that of autograd"):
        step_of(Twofold()).gradients(*data(6))


def test_a_gradient_that_is_not_a_number_ends_training():
    inputs, labels = data(8)
    inputs[3, 0] = float("nan")
    with pytest.raises(SubjectFailed, match="infinite"):
        step_of(net_of()).gradients(inputs, labels)
