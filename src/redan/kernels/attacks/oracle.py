"""The only way an attack touches a model: counted, checked, and leaving no trace.

Source of the cost trick: with parameter gradients off, a backward pass computes input gradients alone, about a third
less work for a small convolutional net.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from redan.core.errors import ShapeMismatch, SubjectFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

Model: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Maps inputs (n, ...) to logits (n, k), or to one logit a sample, (n,) or (n, 1), for two classes."""
Outputs: TypeAlias = Literal["logits", "probabilities"]
"""What the model's numbers are."""

_SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an attack spent, in samples pushed through the model."""

    forward: int = 0
    """Samples evaluated without a gradient."""
    gradient: int = 0
    """Samples evaluated with the gradient by the input."""
    broken_gradients: int = 0
    """Samples whose gradient held NaN or infinity; those entries were taken as zero."""

    @property
    def queries(self) -> int:
        """All samples the model saw."""
        return self.forward + self.gradient


@contextmanager
def untouched(model: Model) -> Iterator[None]:
    """Put a module into evaluation mode without parameter gradients, and restore it exactly, also after an error.

    Restored are the train/eval flag of every submodule, `requires_grad` and `.grad` of every parameter and the
    content of every buffer. A callable that is no module is left as it is.
    """
    if not isinstance(model, torch.nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        for module, _ in modes:
            module.training = False
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, needed, gradient in parameters:
            parameter.requires_grad_(needed)
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


class Oracle:
    """Gives checked two-dimensional logits and input gradients, and counts both.

    Args:
        model: the model under attack.
        outputs: "logits", or "probabilities", of which the logarithm is taken.

    Raises:
        ShapeMismatch: the output is not one row a sample.
        SubjectFailed: the output holds NaN or infinity, or no gradient leads back to the input. A robustness figure
            would count such an output as a failed attack.
    """

    __slots__ = ("_broken", "_forward", "_gradient", "_model", "_outputs")

    def __init__(self, model: Model, *, outputs: Outputs = "logits") -> None:
        self._model = model
        self._outputs = outputs
        self._forward = 0
        self._gradient = 0
        self._broken = 0

    @property
    def counts(self) -> Counts:
        """What was spent so far."""
        return Counts(forward=self._forward, gradient=self._gradient, broken_gradients=self._broken)

    def logits(self, points: Tensor) -> Tensor:
        """Logits without gradient, shape (n, k) with k >= 2."""
        self._forward += len(points)
        with torch.no_grad():
            return self._columns(self._model(points), len(points))

    def gradient(self, points: Tensor, objective: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Value (n,) of an objective of the logits, its gradient by the points (n, ...), and the logits (n, k)."""
        self._gradient += len(points)
        with torch.enable_grad():
            leaf = points.detach().requires_grad_(True)
            logits = self._columns(self._model(leaf), len(points))
            values = objective(logits)
            if not values.requires_grad:
                msg = "no gradient leads from the model's output back to its input"
                raise SubjectFailed(msg, hint="use a decision-based attack, or remove the model's no_grad block")
            (gradients,) = torch.autograd.grad(values.sum(), leaf)
        return values.detach(), self._finite(gradients), logits.detach()

    def _finite(self, gradients: Tensor) -> Tensor:
        if bool(torch.isfinite(gradients.sum())):
            return gradients
        broken = ~torch.isfinite(gradients).flatten(1).all(dim=1)
        self._broken += int(broken.sum())
        return torch.nan_to_num(gradients, nan=0.0, posinf=0.0, neginf=0.0)

    def _columns(self, output: Tensor, n: int) -> Tensor:
        if not isinstance(output, torch.Tensor) or output.ndim not in {1, 2} or len(output) != n:
            shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            msg = f"the model must answer {n} inputs with a tensor of shape ({n}, classes) or ({n},), got {shape}"
            raise ShapeMismatch(msg)
        if not bool(torch.isfinite(output.detach().sum())) and not bool(torch.isfinite(output).all()):
            msg = "the model answered NaN or infinity, so no verdict on its robustness is possible"
            raise SubjectFailed(msg, hint="check the input bounds and the preprocessing the model expects")
        single = output.ndim == 1 or output.shape[1] == 1
        if self._outputs == "probabilities":
            output = output.reshape(n, -1)
            both = torch.cat([1 - output, output], dim=1) if single else output
            return both.clamp_min(_SMALLEST_PROBABILITY).log()
        # one logit s is the log-odds of class 1; (-s/2, s/2) has the same margin and the same cross-entropy
        return torch.stack([-output.reshape(n) / 2, output.reshape(n) / 2], dim=1) if single else output
