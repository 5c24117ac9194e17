"""Every kind of masking is flagged, and what it hid is found: each defence here wraps a net that falls at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.kernels.attacks.projection import distance


def noise(m, x):
    return m(x + 0.15 * torch.randn_like(x))


def resized(m, x):
    size = int(torch.randint(6, 9, (1,)))
    left, top = (int(torch.randint(0, 9 - size, (1,))) for _ in range(2))
    small = functional.interpolate(x, size=(size, size), mode="bilinear")
    return m(functional.pad(small, (left, 8 - size - left, top, 8 - size - top)))


def ensemble(m, x):
    # each member sees the image through a filter of its own
    gain = 1 + 0.4 * (torch.rand(1, 1, 8, 8) - 0.5)
    return m(x * gain) * float(np.random.uniform(0.5, 2))  # noqa: NPY002  real defences draw from the global generator


def through_numpy(m, x):
    # what a JPEG library does to a gradient: the values leave torch and come back rounded
    return m(torch.from_numpy(np.round(x.detach().numpy() * 6) / 6).float())


def without_gradient(m, x):
    with torch.no_grad():
        x = torch.round(x * 6) / 6
    return m(x)


def thermometer(m, x):
    levels = torch.linspace(0.08, 0.92, 6)
    return m((x.unsqueeze(-1) > levels).float().mean(-1))


def looked_up(m, x):
    bounds = torch.linspace(1 / 12, 11 / 12, 6)
    return m(torch.linspace(0, 1, 7)[torch.bucketize(x.detach(), bounds)])


def bit_depth(m, x):
    return m((((x * 255).to(torch.uint8) >> 5) << 5).float() / 224)


class Rounding(torch.autograd.Function):
    """Rounds, and says that its gradient is zero."""

    @staticmethod
    def forward(ctx, x):
        return torch.round(x * 6) / 6

    @staticmethod
    def backward(ctx, g):
        return torch.zeros_like(g)


class Lying(torch.autograd.Function):
    """Changes nothing forward and turns the gradient round backward."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return -g


def frequencies(m, x):
    # a coarse quantisation of the spectrum, as JPEG does it
    f = torch.fft.rfft2(x)
    return m(torch.fft.irfft2(torch.complex(torch.round(f.real), torch.round(f.imag)), s=(8, 8)))


def by_hand(m, x):
    z = m(x) * 40
    e = (z - z.amax(1, keepdim=True)).exp()
    return e / e.sum(1, keepdim=True)


def refusing(m, x):
    z = m(x)
    unsure = torch.softmax(z, 1).amax(1, keepdim=True) < 0.6
    return torch.where(unsure, torch.tensor(float("nan")), z)


def purified(m, x):
    with torch.enable_grad():
        z = x.detach().clone().requires_grad_(True)
        (g,) = torch.autograd.grad(m(z).logsumexp(1).sum(), z)
    return m(x.detach() + 0.02 * g.detach().sign())


DEFENCES = {
    "scaled logits": lambda m, x: m(x) * 1000,
    "rounded inputs": lambda m, x: m(torch.round(x * 6) / 6),
    "noise": noise,
    "sharp softmax": lambda m, x: torch.softmax(m(x) * 40, 1),
    "softmax in half precision": lambda m, x: torch.softmax((m(x) * 20).half(), 1).float(),
    "softmax by hand": by_hand,
    "resized and padded at random": resized,
    "random ensemble": ensemble,
    "through numpy": through_numpy,
    "block without gradient": without_gradient,
    "thermometer": thermometer,
    "table look-up": looked_up,
    "bit depth": bit_depth,
    "custom function without gradient": lambda m, x: m(Rounding.apply(x)),
    "gradient turned round": lambda m, x: m(Lying.apply(x)),
    "rounded spectrum": frequencies,
    "answers NaN when unsure": refusing,
    "optimisation inside": purified,
    "hard labels": lambda m, x: functional.one_hot(m(x).argmax(1), 10).float(),
    "clipped logarithms": lambda m, x: torch.softmax(40 * m(x), 1).clamp(1e-6, 1).log(),
    "mean of sharp nets": lambda m, x: TwoSharpNets(m)(x),
    "noise, rounding and a sharp softmax": lambda m, x: torch.softmax(
        40 * m(torch.round(6 * (x + 0.05 * torch.randn_like(x))) / 6), 1
    ),
}


class TwoSharpNets(nn.Module):
    """The mean of two saturated softmaxes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return (torch.softmax(40 * self.net(x), 1) + torch.softmax(40 * self.net(x * 0.9 + 0.05), 1)) / 2


class Defended(nn.Module):
    """A net behind a defence."""

    def __init__(self, net, defence):
        super().__init__()
        self.net, self.defence = net, defence

    def forward(self, x):
        return self.defence(self.net, x)


SLOW = {
    "softmax by hand",
    "softmax in half precision",
    "random ensemble",
    "bit depth",
    "table look-up",
    "custom function without gradient",
    "rounded spectrum",
    "clipped logarithms",
    "mean of sharp nets",
}
"""Those that differ from another only in how they are written."""

RANDOM = frozenset({"noise", "random ensemble", "resized and padded at random", "noise, rounding and a sharp softmax"})
"""Those whose own draws decide about one more of the sixteen rows."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in DEFENCES]
)
def test_a_defence_that_masks_is_flagged_and_broken(small, examined, name):
    torch.manual_seed(0)  # random defences draw from the global stream
    found = examined(Defended(small, DEFENCES[name]), eps=0.25)
    assert found.verdict == "masked", [(check.name, check.value) for check in found.checks]
    assert found.clean.float().mean() >= 0.7
    assert (~found.after).float().mean() <= (2 / 16 if name in RANDOM else 0.1), found.stages


def test_sign_activations_are_flagged_and_broken(trained, examined):
    class Signs(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, x):
            h = self.first(x.flatten(1))
            # trained with a straight-through estimate, deployed without
            return self.last(torch.tanh(h) if self.training else torch.sign(h))

    found = examined(trained(Signs(), functional.cross_entropy), eps=0.25)
    assert found.verdict == "masked"
    assert (~found.before).float().mean() - (~found.after).float().mean() > 0.3
    assert (~found.after).float().mean() <= 0.1


def test_distillation_at_a_high_temperature_is_flagged_and_broken(trained, examined):
    def warm(z, y):
        return functional.cross_entropy(z / 40, y)

    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    found = examined(trained(net, warm, steps=200, lr=0.05), eps=0.25)
    assert found.verdict == "masked", [(check.name, check.value) for check in found.checks]
    assert "saturated loss" in {check.name for check in found.checks if check.flagged}
    assert (~found.after).float().mean() <= 0.1


@pytest.mark.parametrize("name", ["rounded inputs", "sharp softmax"])
def test_the_points_are_inside_ball_and_box_and_the_model_itself_errs_there(small, examined, unseen, name):
    model = Defended(small, DEFENCES[name])
    found = examined(model, eps=0.25)
    x, y = unseen
    assert bool((distance(found.adversarial, x, "linf") <= 0.25).all())
    assert 0 <= float(found.adversarial.min()) <= float(found.adversarial.max()) <= 1
    with torch.no_grad():
        assert torch.equal(model(found.adversarial).argmax(1) != y, found.after)
