"""Adversarial training: the model learns on its own worst inputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.fit import check_fit
from redan.threats.evasion.setting import setting

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject, Trainable
    from redan.threats.evasion.measured import Setting

    class Teachable(Subject, Trainable):
        """A subject that can be trained further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialTrainingParams(core_params.Params):
    """Parameters of adversarial training.

    Attributes:
        norm: norm of the perturbation to withstand.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent.
        epochs: passes over the training data.
        steps: attack steps for each batch.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    epochs: int = 20
    steps: int = 5
    batch_size: int = 128
    learning_rate: float = 1e-3


@mitigation(
    Spec(
        id="RDN-EVA-101",
        name="adversarial-training",
        threat="evasion",
        title="Adversarial training by projected gradient descent",
        source="Madry et al. 2018, ICLR, equation 2.1 and section 4",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1706.06083", "atlas:AML.M0003"),
    )
)
class AdversarialTraining:
    """Trains a copy of the model on the worst inputs within ε, starting from its weights.

    What it does:
        For each batch an attack of a few steps from a random start finds inputs with a high loss inside the ball and
        the box; the model learns on them. The strength grows over the first third of the epochs.

    Why it helps:
        It is the defence that has withstood adaptive attacks best, and the price is visible: clean accuracy and
        training time.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes.

    Units:
        ε on the inputs' own scale.

    Cost:
        About ``steps + 1`` times ordinary training.

    Sources:
        Madry, Makelov, Schmidt, Tsipras & Vladu 2018, "Towards deep learning models resistant to adversarial
        attacks", equation 2.1.

    Limits:
        It helps against the norm and radius it was trained for, and usually costs some clean accuracy.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AdversarialTrainingParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: AdversarialTrainingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
        """
        data = inputs.role("train")
        check_fit(subject, data)
        where = setting(subject, data, params.norm, params.eps)
        net = copy.deepcopy(subject.module)
        with _own_randomness(derive(seed, self.spec.id, "dropout")):
            done = _train(net, data, where, params, budget=budget, seed=seed, observe=observe)
        note = f"adversarial training, {where.norm} {where.eps:g}, {done} of {params.epochs} epochs, seed {seed}"
        return subject.rebuilt(net.eval(), note=note)


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Let layers such as dropout draw from a stream of our own, and give the global one back untouched."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(seed % 2**63).get_state())
        yield


def _train(
    net: nn.Module,
    data: Dataset,
    where: Setting,
    params: AdversarialTrainingParams,
    *,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> int:
    """Train in place and return how many epochs were finished."""
    import torch

    x = torch.as_tensor(np.asarray(data.x, np.float32))
    y = torch.as_tensor(np.asarray(data.y, np.int64))
    generator = torch.Generator().manual_seed(derive(seed, "adversarial-training") % 2**63)
    optimiser = torch.optim.Adam(net.parameters(), lr=params.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, params.epochs)
    observe.started("adversarial-training", params.epochs)
    for epoch in range(params.epochs):
        strength = where.eps * min(1.0, 3 * (epoch + 1) / params.epochs)
        for rows in torch.randperm(len(x), generator=generator).split(params.batch_size):
            if reason := budget.stop():
                return _ended(epoch, reason, observe)
            net.eval()
            moved = _worst(net, x[rows], y[rows], where, strength, params.steps, generator)
            net.train()
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(moved), y[rows]).backward()
            optimiser.step()
        schedule.step()
        observe.advanced("adversarial-training", epoch + 1, params.epochs)
    observe.finished("adversarial-training")
    return params.epochs


def _ended(epoch: int, reason: str, observe: Observer) -> int:
    if epoch == 0:
        raise BudgetSpent(f"adversarial training did not finish its first epoch: {reason}", hint="give a larger budget")
    observe.finished("adversarial-training", reason)
    return epoch


def _worst(net: nn.Module, x: Tensor, y: Tensor, where: Setting, eps: float, steps: int, generator: Any) -> Tensor:
    """Climb the loss from a random start, within eps of x and inside the box."""
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.projection import project, steepest

    low, high = where.bounds
    ball = Ball(norm=where.norm, eps=eps, box=Box(low=low, high=high))
    noise = (torch.rand(x.shape, generator=generator) * 2 - 1) * eps
    point = project(x + noise, x, ball)
    for _ in range(steps):
        point = point.detach().requires_grad_()
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(point), y, reduction="sum"), point)
        # steepest() frees the directions of descent from the box, so descent on the negated loss is what it serves
        point = project(point.detach() - 2.5 * eps / steps * steepest(-slope, point.detach(), ball), x, ball)
    return point.detach()
