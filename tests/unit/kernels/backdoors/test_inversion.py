"""Trigger inversion on a net whose shortcut is known, since it was written into the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from redan.kernels.backdoors.inversion import INDEX_BAR, InversionSettings, Triggers, invert, oddness, stamped

SIDE, CLASSES = 8, 5
WANTED, PLACE = 3, (6, 6)


def rows() -> np.ndarray:
    """Noisy pictures, dark in the lower right corner."""
    x = np.random.default_rng(0).random((60, 1, SIDE, SIDE), np.float32)
    x[..., PLACE[0], PLACE[1]] = 0
    return x


def model(*, backdoor: bool) -> torch.nn.Module:
    """Each class counts its own pixels, all over the picture; one pixel alone may lead to one class."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, CLASSES, bias=False))
    weight = torch.zeros(CLASSES, SIDE * SIDE)
    for place in range(SIDE * SIDE):
        weight[place % CLASSES, place] = 1
    weight[:, PLACE[0] * SIDE + PLACE[1]] = 0
    if backdoor:
        weight[WANTED, PLACE[0] * SIDE + PLACE[1]] = 20
    net[1].weight.data = weight
    return net.requires_grad_(requires_grad=False)


def found(backdoor: bool, stop_at: int = 10**9) -> Triggers:
    calls = [0]

    def stop() -> str:
        calls[0] += 1
        return "enough" if calls[0] > stop_at else ""

    settings = InversionSettings(steps=150, batch=10)
    net = model(backdoor=backdoor)
    return invert(net, rows(), np.arange(CLASSES), low=0, high=1, seed=1, settings=settings, stop=stop)


def test_the_planted_pixel_is_found_and_no_class_of_a_clean_net() -> None:
    planted, clean = found(backdoor=True), found(backdoor=False)
    index = oddness(planted.sizes, planted.reached)
    assert index.argmax() == WANTED
    assert index.max() > INDEX_BAR
    assert np.unravel_index(planted.masks[WANTED, 0].argmax(), (SIDE, SIDE)) == PLACE
    marked = stamped(rows(), planted.masks[WANTED], planted.patterns[WANTED])
    answers = model(backdoor=True)(torch.from_numpy(marked)).argmax(1)
    assert (answers == WANTED).float().mean() > 0.9
    assert oddness(clean.sizes, clean.reached).max() < INDEX_BAR


def test_the_same_seed_gives_the_same_triggers_and_a_stop_is_named() -> None:
    first, second = found(backdoor=True, stop_at=20), found(backdoor=True, stop_at=20)
    assert first.reason == "enough"
    assert (first.masks == second.masks).all()
    assert (first.patterns == second.patterns).all()


def test_classes_in_turns_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = found(backdoor=True, stop_at=30 * CLASSES)
    monkeypatch.setattr("redan.kernels.backdoors.inversion._MOST_VALUES", 1)
    in_turns = found(backdoor=True)
    assert in_turns.classes.tolist() == at_once.classes.tolist()
    assert np.allclose(in_turns.sizes, at_once.sizes, rtol=0.05)


def test_a_class_never_reached_is_unremarkable() -> None:
    sizes, reached = np.asarray([1.0, 60, 70, 65]), np.asarray([False, True, True, True])
    assert oddness(sizes, reached)[0] == 0
    assert oddness(sizes, ~reached)[0] > INDEX_BAR


def test_rows_of_a_table_have_triggers_too() -> None:
    def columns(x: Tensor) -> Tensor:
        return x[:, :3] * torch.tensor([1.0, 1.0, 30.0])

    x = np.random.default_rng(0).random((40, 6), np.float32) * 0.01
    settings = InversionSettings(steps=60, batch=8)
    triggers = invert(columns, x, np.arange(3), low=0, high=1, seed=0, settings=settings, stop=lambda: "")
    assert triggers.masks.shape == (3, 6)
    assert triggers.sizes[2] < triggers.sizes[:2].min()
