"""Book-keeping handles weights that are used twice, and refuses what it would get wrong with the way out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.core.errors import CapabilityMissing
from redan.kernels.dp.bookkeeping import Book
from redan.kernels.dp.rehearsal import rehearse
from redan.kernels.training.randomness import generator, own_randomness


def losses(answers, labels):
    return functional.cross_entropy(answers, labels, reduction="none")


def rows(*shape):
    return torch.randn(5, *shape, generator=generator(0, "x"), dtype=torch.float64)


LABELS = torch.tensor([0, 1, 2, 0, 1])


def agrees(net, inputs, clip=0.3):
    """Compare with one backward pass a row."""
    net = net.double()
    parameters = [p for p in net.parameters() if p.requires_grad]
    wanted = [torch.zeros_like(p) for p in parameters]
    for x, y in zip(inputs, LABELS, strict=True):
        found = torch.autograd.grad(losses(net(x[None]), y[None]).sum(), parameters)
        norm = math.sqrt(sum(float((g**2).sum()) for g in found))
        for total, g in zip(wanted, found, strict=True):
            total.add_(g, alpha=min(1.0, clip / (norm + 1e-6)))
    clipped = Book(net).clipped(lambda: losses(net(inputs), LABELS), clip)
    return all(
        torch.allclose(clipped.sums[p], w, rtol=1e-10, atol=1e-13) for p, w in zip(parameters, wanted, strict=True)
    )


class Twice(nn.Module):
    """One matrix in two places, over vectors of time, and a norm in two places."""

    def __init__(self):
        super().__init__()
        self.matrix, self.norm, self.head = nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.norm(torch.tanh(self.matrix(x)))
        return self.head(self.norm(self.matrix(x)).mean(1))


class Tied(nn.Module):
    """A table of words whose matrix also tells words apart at the end."""

    def __init__(self, *, by_function=False):
        super().__init__()
        self.words, self.middle, self.out = nn.Embedding(6, 4), nn.Linear(4, 4), nn.Linear(4, 6, bias=False)
        self.out.weight = self.words.weight
        self.by_function = by_function

    def forward(self, x):
        hidden = torch.tanh(self.middle(self.words(x))).mean(1)
        return functional.linear(hidden, self.words.weight) if self.by_function else self.out(hidden)


def made(kind, *args, **more):
    with own_randomness(0, "weights"):
        return kind(*args, **more)


def test_a_layer_used_twice_and_a_tied_table_are_right():
    assert agrees(made(Twice), rows(3, 4))
    assert agrees(made(Tied), torch.randint(0, 6, (5, 7), generator=generator(0, "words")))


def test_frozen_weights_take_no_part():
    net = made(nn.Sequential, nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    net[0].weight.requires_grad_(False)
    assert agrees(net, rows(4))
    assert set(Book(net).parameters) == {net[0].bias, *net[2].parameters()}


def test_modules_and_parameters_are_left_as_they_were_even_after_an_error():
    net = made(nn.TransformerEncoderLayer, 4, 2, 8, batch_first=True)
    with pytest.raises(CapabilityMissing, match="expected one number for each row"):
        Book(net).clipped(lambda: net(torch.zeros(2, 3, 4)), 1.0)
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(part._forward_hooks or "forward" in vars(part) for part in net.modules())


class Own(nn.Module):
    """A weight that is in no layer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x * self.scale


REFUSED = {
    "BatchNorm1d": (nn.BatchNorm1d(4), "GroupNorm"),
    "BatchNorm2d": (nn.BatchNorm2d(4, affine=False), "GroupNorm"),
    "InstanceNorm1d": (nn.InstanceNorm1d(4, affine=True, track_running_stats=True), "track_running_stats=False"),
    "LSTM": (nn.LSTM(4, 4), "attention over time"),
    "GRUCell": (nn.GRUCell(4, 4), "attention over time"),
    "EmbeddingBag": (nn.EmbeddingBag(4, 4), "Embedding and a mean"),
    "Embedding": (nn.Embedding(4, 4, max_norm=1.0), "leave both out"),
    "MultiheadAttention": (nn.MultiheadAttention(4, 1, add_bias_kv=True), "add_bias_kv=False"),
    "ParametrizationList": (nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), "freeze"),
    "Own": (Own(), "freeze"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_would_come_out_wrong_is_refused_with_the_fix(name):
    layer, fix = REFUSED[name]
    with pytest.raises(CapabilityMissing, match=name) as caught:
        Book(nn.Sequential(nn.Linear(4, 4), layer))
    assert fix in caught.value.hint


def test_rows_that_are_not_the_first_axis_are_refused():
    second = nn.TransformerEncoderLayer(4, 2, 8)
    with pytest.raises(CapabilityMissing, match="second axis") as caught:
        Book(second).clipped(lambda: second(torch.zeros(3, 5, 4)).sum((0, 2)), 1.0)
    assert "batch_first=True" in caught.value.hint
    flat = nn.Linear(4, 4)
    with pytest.raises(CapabilityMissing, match="for 2 rows"):
        Book(flat).clipped(lambda: flat(torch.zeros(6, 4)).view(2, 12).sum(1), 1.0)


def test_an_input_that_was_overwritten_is_refused():
    net = nn.Linear(4, 4)

    def careless():
        x = torch.ones(2, 4)
        answer = net(x)
        x += 1
        return answer.sum(1)

    with pytest.raises(CapabilityMissing, match="overwritten"):
        Book(net).clipped(careless, 1.0)


class Mixed(nn.Module):
    """Rows less their mean: a batch norm that is no layer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x - x.mean(0))


def test_a_rehearsal_shows_what_cannot_be_read_off_a_network():
    words, labels = torch.zeros(5, 7, dtype=torch.int64), LABELS
    with pytest.raises(CapabilityMissing, match=r"'words\.weight' by book-keeping is not that of autograd"):
        rehearse(made(Tied, by_function=True), losses, words, labels)
    with pytest.raises(CapabilityMissing, match="the loss of one row depends on other rows"):
        rehearse(made(Mixed), losses, rows(4).float(), labels)
    assert rehearse(made(Tied), losses, words, labels) > 1000


def test_a_rehearsal_lets_dropout_pass_and_leaves_random_state_alone():
    net = made(nn.Sequential, nn.Linear(4, 64), nn.Dropout(0.5), nn.Linear(64, 3)).train()
    before = torch.get_rng_state()
    rehearse(net, losses, rows(4).float(), LABELS)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_gradient_that_reaches_no_layer_gives_zeros():
    net = nn.Sequential(nn.Linear(4, 3))
    clipped = Book(net).clipped(lambda: net(rows(4).float()).detach().sum(1), 1.0)
    assert all(float(total.abs().sum()) == 0 for total in clipped.sums.values())
    assert not clipped.norms.any()
