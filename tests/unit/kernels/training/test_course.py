"""Training ends when it should, averages what it learnt, and leaves random state alone."""

from __future__ import annotations

import pytest
import torch

from redan.core.errors import SubjectFailed, UsageError
from redan.kernels.attacks.watch import Watch
from redan.kernels.training.average import WeightAverage
from redan.kernels.training.course import Course, train
from redan.kernels.training.fresh import fresh
from redan.kernels.training.randomness import generator, own_randomness

COURSE = Course(epochs=4, batch_size=8, learning_rate=0.05)


def data(n=41):
    inputs = torch.randn(n, 3, generator=generator(0, "x"))
    return inputs, (inputs[:, 0] > 0).long()


def net_of(*parts):
    with own_randomness(0, "weights"):
        return fresh(torch.nn.Sequential(torch.nn.Linear(3, 8), *parts, torch.nn.ReLU(), torch.nn.Linear(8, 2)))


def taught(net, course=COURSE, watch=None, **more):
    inputs, labels = data()
    lesson = lambda batch: torch.nn.functional.cross_entropy(net(batch.inputs), batch.labels)  # noqa: E731
    return train(net, inputs, labels, lesson, course, generator=generator(0, "order"), watch=watch or Watch(), **more)


def test_it_learns_and_the_same_seed_gives_the_same_weights():
    first, again = net_of(), net_of()
    assert taught(first).epochs == 4
    taught(again)
    inputs, labels = data()
    assert (first(inputs).argmax(1) == labels).float().mean() > 0.9
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not any(part.training for part in first.modules())
    assert all(parameter.grad is None for parameter in first.parameters())


def test_no_batch_is_a_single_row_so_batch_normalisation_works():
    sizes = []
    net = net_of(torch.nn.BatchNorm1d(8))
    net.register_forward_hook(lambda _module, given, _answer: sizes.append(len(given[0])))
    taught(net, after_batch=lambda _: None)
    assert min(sizes) == 6  # 41 rows in six parts
    assert len(sizes) == 4 * 6


def test_a_reason_to_stop_ends_it_between_batches_with_whole_epochs_counted():
    asked = iter([None] * 9)
    trained = taught(net_of(), watch=Watch(stop=lambda: next(asked, "enough")))
    assert trained.epochs == 1
    assert trained.reason == "enough"


def test_the_pace_rises_for_a_tenth_and_falls_to_nothing():
    paces = [COURSE.pace(share / 100) for share in range(101)]
    assert paces.index(max(paces)) == 10
    assert max(paces) == pytest.approx(0.05)
    assert paces[0] == pytest.approx(0)
    assert paces[100] == pytest.approx(0)


def test_frozen_weights_stay_and_frozen_networks_are_refused():
    net = net_of()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    taught(net)
    assert torch.equal(net[0].weight, before)
    net.requires_grad_(False)
    with pytest.raises(UsageError, match="no weight"):
        taught(net)


def test_a_loss_without_a_number_is_an_error():
    net = net_of()
    inputs, labels = data()
    with pytest.raises(SubjectFailed, match="nan"):
        train(
            net,
            inputs,
            labels,
            lambda batch: net(batch.inputs).sum() * float("nan"),
            COURSE,
            generator=generator(0, "order"),
            watch=Watch(),
        )


def test_the_average_forgets_its_start_and_takes_counters_as_they_are():
    net = torch.nn.BatchNorm1d(1)
    net.weight.data.fill_(100.0)
    average = WeightAverage(net, 0.9)
    for value in (1.0, 1.0, 1.0, 1.0):
        net.weight.data.fill_(value)
        net.num_batches_tracked += 1
        average.update()
    average.install()
    assert net.weight.item() == pytest.approx(1.0, abs=0.2)
    assert int(net.num_batches_tracked) == 4


def test_own_randomness_gives_the_global_stream_back():
    state = torch.get_rng_state()
    with own_randomness(3, "a"):
        first = torch.rand(4)
    with own_randomness(3, "a"):
        assert torch.equal(first, torch.rand(4))
    with own_randomness(3, "b"):
        assert not torch.equal(first, torch.rand(4))
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_cannot_be_drawn_anew_are_named():
    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

    with pytest.raises(UsageError, match="Bare"):
        fresh(torch.nn.Sequential(torch.nn.Linear(2, 2), Bare()))
