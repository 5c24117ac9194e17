"""Clipped sums by book-keeping equal Opacus's on layers put together by chance; runs where Opacus is importable."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from redan.kernels.dp.bookkeeping import Book
from redan.kernels.training.randomness import generator, own_randomness

pytestmark = pytest.mark.slow
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    grad_sample = pytest.importorskip("opacus.grad_sample", reason="Opacus 1.6.0 is on the path of the slow tests only")

N = 6


@st.composite
def nets(draw):
    """A stack over images, or over vectors of time."""
    if draw(st.booleans()):
        channels = draw(st.sampled_from([2, 4]))
        groups = draw(st.sampled_from([1, 2]))
        kernel, stride, padding = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
        norms = [nn.GroupNorm(2, channels), nn.InstanceNorm2d(channels, affine=True), nn.Identity()]
        stack = [
            nn.Conv2d(2, channels, kernel, stride, padding, groups=groups),
            draw(st.sampled_from(norms)),
            nn.Tanh(),
        ]
        net, shape = nn.Sequential(*stack, nn.Flatten(), nn.LazyLinear(3)), (2, 7, 7)
    else:
        width, t = draw(st.integers(2, 40)), draw(st.sampled_from([1, 3, 12]))
        stack = [nn.Linear(4, width, bias=draw(st.booleans())), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, 5)]
        net, shape = nn.Sequential(*stack, nn.Flatten(), nn.LazyLinear(3)), (t, 4)
    inputs = torch.randn(N, *shape, generator=generator(draw(st.integers(0, 99)), "x"))
    net(inputs)
    return net, inputs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_they_agree_to_one_part_in_a_million(dtype, data, seed):
    with own_randomness(seed, "weights"):
        net, inputs = data.draw(nets())
    net, inputs = net.to(dtype), inputs.to(dtype)
    labels = torch.arange(N) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = grad_sample.GradSampleModule(copy.deepcopy(net), loss_reduction="sum")
        nn.functional.cross_entropy(peer(inputs), labels, reduction="sum").backward()
    by_row = [p.grad_sample.flatten(1) for p in peer.parameters()]
    norms = torch.stack([g.norm(dim=1) for g in by_row]).norm(dim=0)
    clip = float(norms.median())
    factors = (clip / (norms + 1e-6)).clamp(max=1)
    wanted = torch.cat([factors @ g for g in by_row])
    losses = lambda: nn.functional.cross_entropy(net(inputs), labels, reduction="none")  # noqa: E731
    made = Book(net).clipped(losses, clip)
    got = torch.cat([made.sums[p].flatten() for p in net.parameters()])
    assert torch.allclose(made.norms, norms, rtol=1e-6 if dtype == torch.float32 else 1e-12)
    assert float((got - wanted).norm() / wanted.norm()) <= (1e-6 if dtype == torch.float32 else 1e-12)
