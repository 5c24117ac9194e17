"""Backward pass differentiable approximation: the model's own values, with gradients that lead somewhere.

Forward the surrogate computes what the model computes. Backward, an operation whose Jacobian is zero or missing lets
the gradient through: rounding and custom functions as the identity, thresholds and signs as a soft step, blocks without
gradient and detached tensors as if they were not there, a detour through numpy as the identity. Where the output went
through a softmax or a sigmoid, the surrogate answers with what went in, which orders the classes alike and does not
saturate. Source: Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", ICML 2018,
sections 4.1 and 5; straight-through estimator: Bengio, Léonard, Courville, arXiv 1308.3432, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import BackwardCFunction

from redan.core.errors import SubjectError
from redan.kernels.attacks.rewriting import Rewriting

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.oracle import Model

BREAKS = (SubjectError, RuntimeError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError)
"""What a model may raise that does not survive being rewritten; it is then left as it is."""
_STEPS = ("Round", "Floor", "Ceil", "Trunc", "Frac", "Sign", "Sgn", "Heaviside", "FloorDivide")
"""Names of autograd nodes whose derivative is zero wherever it exists."""


def straight_through(model: Model) -> Model:
    """Wrap a model: asked without gradients it is the model itself, asked with gradients it is the surrogate."""

    def surrogate(points: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return model(points)
        try:
            with Rewriting(points) as seen:
                answer = model(points)
        except BREAKS:
            return model(points)
        answer = before_saturation(answer, seen.squashed)
        let_through(answer)
        return answer

    return surrogate


def before_saturation(answer: Tensor, squashed: list[Tensor]) -> Tensor:
    """Follow the squashed tensors back from the answer as long as they order the classes alike; return the first.

    Args:
        answer: the model's output, (n, k), (n, 1) or (n,).
        squashed: inputs of every softmax and the like in order; those of another shape are no scores and are skipped.
    """
    earliest = answer
    for scores in reversed(squashed):
        candidate = _columns(scores.float(), answer)
        if candidate is None or not candidate.requires_grad:
            continue
        if not _agrees(candidate.detach(), answer.detach()):
            break
        earliest = candidate
    return earliest


def _columns(scores: Tensor, answer: Tensor) -> Tensor | None:
    """Bring scores into the shape of the answer, None where they are no such thing."""
    if scores.shape == answer.shape:
        return scores
    single = scores.ndim in {1, 2} and scores.numel() == len(answer)
    if single and answer.ndim == 2 and answer.shape[1] == 2:
        return torch.stack([-scores.reshape(-1) / 2, scores.reshape(-1) / 2], dim=1)
    return None


def _agrees(scores: Tensor, answer: Tensor) -> bool:
    """Whether scores order the classes of every row as the answer does, apart from what the answer holds for equal.

    One column is compared along the rows instead.
    """
    if answer.ndim == 1 or answer.shape[1] == 1:
        scores, answer = scores.reshape(1, -1), answer.reshape(1, -1)
    order = answer.argsort(dim=1)
    rises = answer.gather(1, order).diff(dim=1) > 0
    follows = scores.gather(1, order).diff(dim=1) >= 0
    return bool(torch.isfinite(scores).all()) and bool(follows[rises].all())


def let_through(answer: Tensor) -> None:
    """Make every step function in the recorded graph pass its gradient on, wherever its own is zero.

    Also a function of the model's own that returns zeros for a gradient that was none. Works on TorchScript too, whose
    operations no Python code sees.
    """
    waiting, met = [answer.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        owner: object = node
        if isinstance(owner, BackwardCFunction) or node.name().startswith(_STEPS):
            node.register_hook(_identity_where_zero)
        waiting.extend(parent for parent, _ in node.next_functions)


def _identity_where_zero(grad_inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    incoming = next((g for g in grad_outputs if g is not None), None)
    if incoming is None or not bool(incoming.any()):
        return None
    if any(g is not None and bool(g.any()) for g in grad_inputs):
        return None
    if grad_inputs and (grad_inputs[0] is None or grad_inputs[0].shape == incoming.shape):
        return (incoming, *grad_inputs[1:])
    return None
