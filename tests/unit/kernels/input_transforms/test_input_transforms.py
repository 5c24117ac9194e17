"""Transformations of inputs against other people's filters, against what they minimise, and in their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from redan.kernels.input_transforms.cosines import BlockCosines
from redan.kernels.input_transforms.filters import Gaussian, Median
from redan.kernels.input_transforms.network import TransformedNetwork
from redan.kernels.input_transforms.resizing import Resized, drawn
from redan.kernels.input_transforms.rounding import BitDepth
from redan.kernels.input_transforms.variation import TotalVariation


def pictures(n=3, channels=2, height=16, width=16, seed=0):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def slope(transform, x, weights):
    leaf = x.clone().requires_grad_(True)
    (transform(leaf) * weights).sum().backward()
    return leaf.grad


@pytest.mark.parametrize(("bits", "low", "high"), [(1, 0.0, 1.0), (3, 0.0, 1.0), (4, -1.0, 3.0)])
def test_rounding_leaves_so_many_levels_the_nearest_ones(bits, low, high):
    x = low + (high - low) * pictures(n=8)
    out = BitDepth(bits=bits, low=low, high=high, gradient="straight-through")(x)
    levels = torch.linspace(low, high, 2**bits)
    torch.testing.assert_close(out.unique(), levels)
    torch.testing.assert_close((out - x).abs(), (x[..., None] - levels).abs().amin(dim=-1))
    torch.testing.assert_close(BitDepth(bits=bits, low=low, high=high, gradient="own")(out), out)


def test_rounding_passes_gradients_on_or_hides_them_with_the_same_answers():
    x, weights = pictures(), pictures(seed=1)
    through = BitDepth(bits=3, low=0.0, high=1.0, gradient="straight-through")
    own = BitDepth(bits=3, low=0.0, high=1.0, gradient="own")
    assert torch.equal(through(x), own(x))
    torch.testing.assert_close(slope(through, x, weights), weights)
    assert not slope(own, x, weights).any()


@pytest.mark.parametrize("size", [3, 5])
def test_the_median_is_that_of_scipy(size):
    x = pictures(height=9, width=13)
    expected = ndimage.median_filter(x.numpy(), size=(1, 1, size, size), mode="nearest")
    np.testing.assert_array_equal(Median(size)(x).numpy(), expected)


def test_the_gaussian_is_that_of_scipy():
    x = pictures(height=9, width=13)
    filtered = Gaussian(5)
    weights = filtered.weights.numpy()
    assert weights.sum() == pytest.approx(1)
    expected = ndimage.correlate1d(
        ndimage.correlate1d(x.numpy(), weights, 2, mode="nearest"), weights, 3, mode="nearest"
    )
    np.testing.assert_allclose(filtered(x).numpy(), expected, atol=1e-6)


def test_fine_steps_of_block_cosines_change_nothing_and_coarse_ones_leave_only_the_mean():
    x = pictures(height=16, width=24)
    fine = BlockCosines(step=1e-5, low=0.0, high=1.0, gradient="own")
    torch.testing.assert_close(fine(x), x, atol=1e-3, rtol=0)
    coarse = BlockCosines(step=6.0, low=0.0, high=1.0, gradient="own")(0.9 + 0.1 * x)
    assert coarse.unique(dim=0).shape[0] == 1
    assert coarse.std() < 1e-6


def test_block_cosines_keep_the_shape_of_images_that_are_no_multiple_of_a_block():
    x = pictures(height=11, width=5)
    out = BlockCosines(step=0.2, low=0.0, high=1.0, gradient="own")(x)
    assert out.shape == x.shape
    assert 0 <= out.min() <= out.max() <= 1
    assert 0.01 < (out - x).abs().mean() < 0.3


def test_gradients_pass_straight_through_block_cosines():
    x, weights = 0.3 + 0.4 * pictures(), pictures(seed=1)
    through = BlockCosines(step=0.02, low=0.0, high=1.0, gradient="straight-through")
    torch.testing.assert_close(slope(through, x, weights), weights)
    assert not slope(BlockCosines(step=0.02, low=0.0, high=1.0, gradient="own"), x, weights).any()


def variation(x):
    down = nn.functional.pad(x.diff(dim=2), (0, 0, 0, 1))
    right = nn.functional.pad(x.diff(dim=3), (0, 1))
    return (down.square() + right.square()).sqrt().flatten(1).sum(1)


def test_total_variation_minimises_what_it_says():
    x = pictures().double()
    weight = 0.2

    def objective(u):
        return (u - x).square().flatten(1).sum(1) / (2 * weight) + variation(u)

    few, many = (TotalVariation(weight=weight, iterations=count)(x) for count in (5, 400))
    assert (objective(many) < objective(few)).all()
    assert (objective(few) < objective(x)).all()
    torch.testing.assert_close(many.mean(dim=(2, 3)), x.mean(dim=(2, 3)))
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        near = many + 0.02 * torch.randn(x.shape, generator=generator, dtype=x.dtype)
        assert (objective(near) > objective(many)).all()


def test_gradients_of_total_variation_are_those_of_its_values():
    x = pictures(n=1, channels=1, height=4, width=5).double().requires_grad_(True)
    assert torch.autograd.gradcheck(TotalVariation(weight=0.2, iterations=6), (x,))


def test_a_constant_image_has_no_variation_to_lose():
    x = torch.full((2, 1, 6, 6), 0.4, requires_grad=True)
    out = TotalVariation(weight=0.5, iterations=10)(x)
    torch.testing.assert_close(out, x)
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_places_follow_from_the_seed_and_images_keep_their_shape():
    x = pictures(height=12, width=20)
    first, again, other = (drawn(seed, 5, smallest=0.6, ground=0.0) for seed in (1, 1, 2))
    assert all(torch.equal(a(x), b(x)) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a(x), b(x)) for a, b in zip(first, other, strict=True))
    assert all(view(x).shape == x.shape for view in first)
    assert all(0.6 <= float(view.place[0]) <= 1 for view in first)


def test_a_smaller_image_lies_where_it_is_told_on_its_ground():
    out = Resized(scale=0.5, down=1.0, right=0.0, ground=0.25)(torch.ones(1, 1, 8, 8))
    expected = torch.full((8, 8), 0.25)
    expected[4:, :4] = 1
    torch.testing.assert_close(out[0, 0], expected)


def test_several_views_answer_with_their_mean_probability():
    inner = nn.Sequential(nn.Flatten(), nn.Linear(2 * 16 * 16, 3))
    x, views = pictures(), (Median(3), Gaussian(3))
    both = TransformedNetwork(inner, views)(x)
    expected = torch.stack([inner(view(x)).softmax(1) for view in views]).mean(0)
    torch.testing.assert_close(both.exp(), expected)
    torch.testing.assert_close(TransformedNetwork(inner, views[:1])(x), inner(views[0](x)))


def test_a_random_view_is_drawn_at_each_call_without_touching_global_generators():
    inner = nn.Sequential(nn.Flatten(), nn.Linear(2 * 16 * 16, 3))
    x, views = pictures(), (Median(3), Gaussian(3))
    before = torch.get_rng_state()
    net = TransformedNetwork(inner, views, answer="random", seed=4)
    answers = [net(x) for _ in range(20)]
    single = [inner(view(x)) for view in views]
    kinds = [next(i for i, one in enumerate(single) if torch.equal(one, answer)) for answer in answers]
    assert set(kinds) == {0, 1}
    assert torch.equal(before, torch.get_rng_state())
