"""The data of this example: scikit-learn's bundled digits, as images with pixels in [0, 1]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

CACHE = Path(__file__).parent / ".cache"
N_TRAIN = 1297


def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Load the fixed split.

    Returns:
        Train images (1297, 1, 8, 8) float32 in [0, 1], train classes (1297,) int64, then 500 test images and classes.
    """
    bundle = load_digits()
    order = np.random.default_rng(0).permutation(len(bundle.target))
    x = (bundle.images / 16).astype(np.float32)[order, None]
    y = bundle.target.astype(np.int64)[order]
    return x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:]


def save() -> Path:
    """Write ``train.npz`` and ``test.npz`` for redan.toml and return their folder."""
    CACHE.mkdir(exist_ok=True)
    train_x, train_y, test_x, test_y = split()
    np.savez(CACHE / "train.npz", x=train_x, y=train_y)
    np.savez(CACHE / "test.npz", x=test_x, y=test_y)
    return CACHE
