"""A torch module as Redan calls it: the owner's scale in, a row of class scores out, nothing left behind."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.subjects.options import Kind, Options

_SMALLEST_PROBABILITY = 1e-30
_SUM_TOLERANCE = 1e-3
_TRANSPARENT = ("View", "Reshape", "Squeeze", "Unsqueeze", "Select", "Slice", "Clone", "ToCopy", "Permute")


class Network(nn.Module):
    """Wraps a module: layout and normalisation before it, a (n, classes) tensor after it.

    ``forward`` gives logits, also where the module gives probabilities (their logarithm) or one logit s for two
    classes (−s/2, s/2: the same margin and the same cross-entropy).

    Args:
        inner: the module as its owner made it; held, not copied.
        options: normalisation and layout.
        kind: what the module's numbers are.
    """

    def __init__(self, inner: nn.Module, *, options: Options, kind: Kind = "logits") -> None:
        super().__init__()
        # registering a submodule does not change it; the wrapper itself must start in the mode of what it wraps
        self.inner = inner
        self.kind: Kind = kind
        self.channels_last = options.channels == "last"
        self.keeps_integers = _takes_tokens(inner)
        self.register_buffer("mean", torch.tensor(options.mean) if options.mean else None, persistent=False)
        self.register_buffer("std", torch.tensor(options.std) if options.std else None, persistent=False)
        self.training = inner.training

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs on the owner's scale to (n, classes) logits."""
        outputs = self.outputs(x)
        return outputs.clamp_min(_SMALLEST_PROBABILITY).log() if self.kind == "probabilities" else outputs

    def outputs(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to (n, classes) of what the module itself says, logits or probabilities.

        Raises:
            ShapeMismatch: the answer is not one row a sample.
        """
        answer = self.raw(x)
        if answer.ndim == 2 and answer.shape[1] > 1:
            return answer
        single = answer.reshape(len(x))
        both = (1 - single, single) if self.kind == "probabilities" else (-single / 2, single / 2)
        return torch.stack(both, dim=1)

    def raw(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to the module's own answer, (n, classes), (n, 1) or (n,).

        Raises:
            ShapeMismatch: the answer is not one row a sample.
        """
        answer = unwrapped(self.inner(self._prepared(x)))
        if not isinstance(answer, Tensor) or answer.ndim not in {1, 2} or len(answer) != len(x):
            got = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
            raise ShapeMismatch(
                f"the model answered {len(x)} inputs with {got}; expected ({len(x)}, classes) or ({len(x)},)",
                hint="wrap the model so that its forward gives one row of class scores for each input",
            )
        return answer

    def _prepared(self, x: Tensor) -> Tensor:
        if isinstance(self.mean, Tensor) and isinstance(self.std, Tensor):
            spread = (1, -1) + (1,) * (x.ndim - 2)
            x = (x - self.mean.to(x).reshape(spread)) / self.std.to(x).reshape(spread)
        return x.movedim(1, -1) if self.channels_last and x.ndim > 2 else x


def _takes_tokens(module: nn.Module) -> bool:
    """Whether inputs are integers to be looked up: the first part with parameters of its own is an embedding."""
    owners = (part for part in module.modules() if next(part.parameters(recurse=False), None) is not None)
    return isinstance(next(owners, None), (nn.Embedding, nn.EmbeddingBag))


def unwrapped(answer: Any) -> Any:
    """Take the class scores out of what some libraries return: ``.logits``, ``["logits"]``, or the first of a tuple."""
    if isinstance(answer, Tensor):
        return answer
    if isinstance(answer, Mapping) and "logits" in answer:
        return answer["logits"]
    if hasattr(answer, "logits"):
        return answer.logits
    if isinstance(answer, (tuple, list)) and answer and isinstance(answer[0], Tensor):
        return answer[0]
    return answer


def kind_of(raw: Tensor) -> Kind:
    """Say what a module's answers are, from one batch of them recorded with gradients where possible.

    Several columns are probabilities when every row lies in [0, 1] and sums to 1. One column is a probability only
    when a sigmoid made it, which the recorded graph tells; numbers alone cannot, since a logit may lie in [0, 1] too.
    """
    values = raw.detach()
    if values.numel() == 0 or bool((values < 0).any()) or bool((values > 1).any()):
        return "logits"
    if values.ndim == 2 and values.shape[1] > 1:
        return "probabilities" if bool(((values.sum(dim=1) - 1).abs() < _SUM_TOLERANCE).all()) else "logits"
    return "probabilities" if _last_operation(raw).startswith("Sigmoid") else "logits"


def _last_operation(answer: Tensor) -> str:
    step = answer.grad_fn
    while step is not None and step.name().startswith(_TRANSPARENT):
        step = step.next_functions[0][0]
    return "" if step is None else step.name()


@contextmanager
def evaluating(module: nn.Module, *, freeze: bool = True) -> Iterator[None]:
    """Put a module into evaluation mode and restore it exactly, also after an error.

    Restored are the train/eval flag of every submodule, ``requires_grad`` of every parameter, and every buffer, even
    where the module replaces or writes it during the call.

    Args:
        module: the module.
        freeze: record no gradients for parameters; a backward pass to the input then costs about a third less.
    """
    modes = [(part, part.training) for part in module.modules() if hasattr(part, "training")]
    learning = [p for p in module.parameters() if p.requires_grad] if freeze else []
    buffers = [(part, name, held, held.clone()) for part in module.modules() for name, held in _own_buffers(part)]
    try:
        for part, _ in modes:
            part.training = False
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter in learning:
            parameter.requires_grad_(True)
        _put_back(buffers)


def _own_buffers(part: nn.Module) -> list[tuple[str, Tensor]]:
    return list(part.named_buffers(recurse=False))


def _put_back(buffers: list[tuple[nn.Module, str, Tensor, Tensor]]) -> None:
    for part, name, held, before in buffers:
        if dict(part.named_buffers(recurse=False)).get(name) is not held and not isinstance(
            part, torch.jit.ScriptModule
        ):
            setattr(part, name, held)
        if not torch.equal(held, before):
            # through .data, so that a graph which saved the buffer stays valid for its backward pass
            held.data.copy_(before)
