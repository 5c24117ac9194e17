"""Sponges: depth that depends on the input is found, constant depth is not flagged."""

from __future__ import annotations

import pytest
import torch
from tests.unit.threats.evasion.small_images import SIDE, halves, number, only
from torch import nn

from redan.core.errors import ShapeMismatch
from redan.core.finding import Severity
from redan.core.inputs import Inputs
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.probes.sponge import Sponge


class EarlyExit(nn.Module):
    """Answers at once when the halves differ clearly, as they do in all data; else thinks for ten layers."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Sequential(*[nn.Linear(SIDE * SIDE, SIDE * SIDE) for _ in range(10)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x[..., : SIDE // 2].mean(dim=(1, 2, 3)), x[..., SIDE // 2 :].mean(dim=(1, 2, 3))
        if bool(((left - right).abs() > 0.3).all()):
            return torch.stack([left, right], dim=1)
        return self.deep(x.flatten(1))[:, :2]


def subject(net: nn.Module) -> TorchSubject:
    return TorchSubject(net, options=Options(name="net", bounds=(0.0, 1.0)), sample=halves(2).x)


def test_an_early_exit_that_can_be_avoided_is_found() -> None:
    found = only(Sponge, subject(EarlyExit()), Inputs(test=halves(20)), plan="quick")
    ratio = found.quantity("cost_ratio")
    assert ratio is not None
    assert ratio.low > 50
    assert found.severity == Severity.CRITICAL
    assert found.blob("dearest") is not None


def test_a_plain_network_costs_the_same_for_every_input_and_is_not_flagged() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10))
    found = only(Sponge, subject(net), Inputs(test=halves(20)), plan="quick")
    assert number(found, "cost_ratio") == 1
    assert 1 <= number(found, "energy_ratio") < 2
    assert found.severity == Severity.INFO
    again = only(Sponge, subject(net), Inputs(test=halves(20)), plan="quick")
    assert number(again, "energy_ratio") == number(found, "energy_ratio")


def test_too_few_usual_inputs_say_nothing() -> None:
    with pytest.raises(ShapeMismatch, match="at least 6"):
        only(Sponge, subject(EarlyExit()), Inputs(test=halves(4)))
