"""Random views and perturbations that hold over them."""

from __future__ import annotations

import numpy as np
import torch

from redan.kernels.attacks.oracle import Oracle
from redan.kernels.corruptions.warping import affine
from redan.kernels.draws import sample_keys
from redan.kernels.views.attack import Lens, ViewSettings, judged, perturb
from redan.kernels.views.sampling import Spread, _placed, seen, view_keys

STILL = Spread(degrees=0, zoom=1, shift=0, light=0, contrast=1, noise=0)


def smooth(n: int, height: int, width: int) -> np.ndarray:
    row, column = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(5 * row + i) * np.cos(4 * column - i) for i in range(n)]
    return (0.5 + 0.4 * np.stack(waves)[:, None]).astype(np.float32)


def keys(n: int) -> np.ndarray:
    return sample_keys(0, "test", np.arange(n))


def test_no_spread_shows_the_image_itself() -> None:
    x = torch.from_numpy(smooth(3, 10, 10))
    assert torch.allclose(seen(x, keys(3), STILL, low=0, high=1), x, atol=1e-5)


def test_turning_zooming_and_moving_agree_with_the_other_implementation_also_for_oblong_images() -> None:
    x = smooth(2, 24, 36)
    degrees, zoom = np.array([20.0, -35.0], np.float32), np.array([1.2, 0.9], np.float32)
    down, right = np.array([2.0, -3.0], np.float32), np.array([-4.0, 1.0], np.float32)
    ours = affine(x, degrees=degrees, zoom=zoom, down=down, right=right)
    theirs = _placed(*(torch.from_numpy(a) for a in (x, degrees, zoom, down / 24, right / 36))).numpy()
    inside = (slice(None), slice(None), slice(9, 15), slice(12, 24))
    assert np.abs(ours[inside] - theirs[inside]).max() < 2e-3


def test_a_view_depends_on_its_key_alone_and_stays_in_the_box() -> None:
    x = torch.from_numpy(smooth(5, 12, 12))
    wide = Spread(light=0.6, noise=0.3)
    together = seen(x, view_keys(keys(5), 3), wide, low=0, high=1)
    order = np.array([4, 1, 0])
    assert torch.allclose(seen(x[order], view_keys(keys(5)[order], 3), wide, low=0, high=1), together[order], atol=1e-6)
    assert not torch.equal(seen(x, view_keys(keys(5), 4), wide, low=0, high=1), together)
    assert together.min() >= 0
    assert together.max() <= 1


def test_the_perturbation_respects_ball_and_box_and_lowers_the_margin_over_views() -> None:
    torch_weights = torch.zeros(2, 12, 12)
    torch_weights[0, :, :6], torch_weights[1, :, 6:] = 1.0, 1.0
    oracle = Oracle(lambda points: points.flatten(1) @ torch_weights.reshape(2, -1).T)
    x = torch.full((4, 1, 12, 12), 0.5)
    x[:, :, :, :6] += 0.1
    y = torch.zeros(4, dtype=torch.int64)
    lens = Lens(spread=Spread(), low=0.0, high=1.0)
    moved, why = perturb(oracle, x, y, keys(4), lens=lens, eps=0.1, settings=ViewSettings(steps=8, views=3))
    assert why == ""
    assert (moved - x).abs().max() <= 0.1 + 1e-6
    assert moved.min() >= 0
    assert judged(oracle, x, y, keys(4), lens=lens, views=6).float().mean() > 0.9
    assert judged(oracle, moved, y, keys(4), lens=lens, views=6).float().mean() == 0
    again, _ = perturb(oracle, x, y, keys(4), lens=lens, eps=0.1, settings=ViewSettings(steps=8, views=3, batch=1))
    assert torch.allclose(again, moved, atol=1e-6)
    _, stopped = perturb(oracle, x, y, keys(4), lens=lens, eps=0.1, settings=ViewSettings(), stop=lambda: "enough")
    assert stopped == "enough"
