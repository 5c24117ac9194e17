"""Clipped sums by book-keeping are those of each row's own backward pass, for layers put together by chance."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from redan.kernels.dp.bookkeeping import Book
from redan.kernels.training.randomness import generator, own_randomness

N = 4
WORDS = 7


def losses(answers, labels):
    return nn.functional.cross_entropy(answers, labels, reduction="none")


def naive(net, inputs, labels, clip):
    """One backward pass a row."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    sums, norms = [torch.zeros_like(p) for p in parameters], []
    for x, y in zip(inputs, labels, strict=True):
        found = torch.autograd.grad(losses(net(x[None]), y[None]).sum(), parameters, allow_unused=True)
        found = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in found))
        norms.append(norm)
        for total, g in zip(sums, found, strict=True):
            total.add_(g, alpha=min(1.0, clip / (norm + 1e-6)))
    return sums, torch.tensor(norms, dtype=torch.float64)


def agree(net, inputs, labels, tolerance=1e-12):
    """Compare at a clipping norm that some rows exceed and others do not."""
    _, norms = naive(net, inputs, labels, 1.0)
    clip = float(norms.median())
    wanted, norms = naive(net, inputs, labels, clip)
    clipped = Book(net).clipped(lambda: losses(net(inputs), labels), clip)
    scale = max(float(w.norm()) for w in wanted)
    assert torch.allclose(clipped.norms.double(), norms, rtol=tolerance, atol=tolerance * float(norms.max()))
    for parameter, total in zip((p for p in net.parameters() if p.requires_grad), wanted, strict=True):
        assert float((clipped.sums[parameter] - total).norm()) <= tolerance * scale
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


class Pooled(nn.Module):
    """The mean over time of a stack, and ten classes."""

    def __init__(self, stack, width, words=None):
        super().__init__()
        self.words = None if words is None else nn.Embedding(words, width, padding_idx=0)
        self.stack = nn.Sequential(*stack)
        self.head = nn.Linear(stack[-1].out_features if isinstance(stack[-1], nn.Linear) else width, 3)

    def forward(self, x):
        return self.head(self.stack(x if self.words is None else self.words(x)).flatten(1, -2).mean(1))


class Attention(nn.Module):
    """Self-attention, or attention to a shorter memory made of the first two places."""

    def __init__(self, width, heads, *, other=False, weights=False, masked=False, bias=True):
        super().__init__()
        sizes = {"kdim": 3, "vdim": 2} if other else {}
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True, bias=bias, **sizes)
        self.other, self.weights, self.masked = other, weights, masked

    def forward(self, x):
        memory = (x[:, :2, :3], x[:, :2, :2]) if self.other else (x, x)
        mask = None
        if self.masked:
            mask = torch.ones(x.shape[1], memory[0].shape[1], dtype=torch.bool).triu(1)
        return self.attention(x, *memory, attn_mask=mask, need_weights=self.weights)[0] + x


@st.composite
def planes(draw, dimensions):
    """A stack of convolutions and norms over 7 or 7 by 7 places, with its input."""
    conv, instance = (nn.Conv1d, nn.InstanceNorm1d) if dimensions == 1 else (nn.Conv2d, nn.InstanceNorm2d)
    channels, side, stack = 2, 7, []
    for _ in range(draw(st.integers(1, 3))):
        groups = draw(st.sampled_from([g for g in (1, 2, 4) if channels % g == 0]))
        kernel, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
        reach = dilation * (kernel - 1)
        mode = draw(st.sampled_from(["zeros", "reflect", "circular"])) if reach < side else "zeros"
        same = stride == 1 and kernel % 2 == 1  # torch warns about copies for even ones
        padding = draw(st.sampled_from(["same", 0, 1, 2])) if same else draw(st.integers(0, 2))
        padding = max(padding, reach) if padding != "same" and side + 2 * padding <= reach else padding
        made = conv(
            channels, groups * draw(st.integers(1, 3)), kernel, stride, padding, dilation, groups,
            bias=draw(st.booleans()), padding_mode=mode if padding in ("same", 0, 1) and side > 2 else "zeros",
        )  # fmt: skip
        channels = made.out_channels
        side = side if padding == "same" else (side + 2 * padding - reach - 1) // stride + 1
        norms = [nn.Identity()]
        if side > 1:  # torch refuses to normalise single numbers
            norms += [nn.GroupNorm(1, channels), nn.GroupNorm(channels, channels), instance(channels, affine=True)]
        stack += [made, draw(st.sampled_from(norms)), draw(st.sampled_from([nn.Tanh(), nn.ReLU(inplace=True)]))]
    net = nn.Sequential(*stack, nn.Flatten(), nn.LazyLinear(3)).double()
    inputs = torch.randn(N, 2, *(7,) * dimensions, generator=generator(draw(st.integers(0, 99)), "x")).double()
    net(inputs)
    return net, inputs


@st.composite
def sequences(draw):
    """A stack of matrices, norms and attention over words or vectors, with its input."""
    width = draw(st.sampled_from([4, 8]))
    bias, heads, first = draw(st.booleans()), draw(st.sampled_from([1, 2])), draw(st.booleans())
    kinds = {
        "linear": lambda: nn.Linear(width, width, bias=bias),
        "layer": lambda: nn.LayerNorm(width, bias=bias),
        "rms": lambda: nn.RMSNorm(width),
        "gelu": nn.GELU,
        "self": lambda: Attention(width, heads, masked=first, bias=bias),
        "told": lambda: Attention(width, heads, weights=True),
        "other": lambda: Attention(width, heads, other=True),
        "block": lambda: nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))
    words = draw(st.booleans())
    net = Pooled([kinds[name]() for name in chosen], width, WORDS if words else None).double()
    t, draws = draw(st.integers(2, 6)), generator(draw(st.integers(0, 99)), "x")
    if words:
        return net, torch.randint(0, WORDS, (N, t), generator=draws)
    return net, torch.randn(N, t, width, generator=draws).double()


def labelled(seed):
    return torch.randint(0, 3, (N,), generator=generator(seed, "y"))


@pytest.mark.parametrize("dimensions", [1, 2])
@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_convolutions_of_every_shape_agree_with_a_pass_for_each_row(dimensions, data, seed):
    with own_randomness(seed, "weights"):
        agree(*data.draw(planes(dimensions)), labelled(seed))


@settings(max_examples=20, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_matrices_tables_norms_and_attention_agree_with_a_pass_for_each_row(data, seed):
    with own_randomness(seed, "weights"):
        agree(*data.draw(sequences()), labelled(seed))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), width=st.integers(1, 80), t=st.sampled_from([1, 2, 9]))
def test_in_single_precision_they_agree_to_one_part_in_a_million(seed, width, t):
    with own_randomness(seed, "weights"):
        net = Pooled([nn.Linear(5, width), nn.Tanh(), nn.Linear(width, 4)], 5)
        inputs = torch.randn(N, t, 5)
    labels = labelled(seed)
    exact = copy.deepcopy(net).double()
    wanted, norms = naive(exact, inputs.double(), labels, 0.5)
    clipped = Book(net).clipped(lambda: losses(net(inputs), labels), 0.5)
    scale = max(float(w.norm()) for w in wanted)
    assert torch.allclose(clipped.norms.double(), norms, rtol=1e-6)
    for parameter, total in zip(net.parameters(), wanted, strict=True):
        assert float((clipped.sums[parameter].double() - total).norm()) <= 1e-6 * scale
