"""Which layers have known gradients by row, what those are, and what to do about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from torch import nn
from torch.nn import functional

from redan.core.errors import CapabilityMissing
from redan.kernels.dp.convolution import Convolved
from redan.kernels.dp.shares import Direct, Lookup, Outer, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.dp.shares import Share


class Target(NamedTuple):
    """Where a share belongs: a parameter, or some of its lines."""

    parameter: Tensor
    start: int
    stop: int

    @classmethod
    def whole(cls, parameter: Tensor) -> Target:
        """All of a parameter."""
        return cls(parameter, 0, len(parameter))

    @property
    def lines(self) -> Tensor:
        """What it holds now."""
        return self.parameter[self.start : self.stop]


Placed: TypeAlias = tuple[Target, "Share"]
TokensOf: TypeAlias = "Callable[[Tensor], Tokens]"


def linear(weight: Target, bias: Target | None, tokens: Tokens, gradient: Tensor) -> list[Placed]:
    """Return the shares of a matrix and its bias.

    Args:
        weight: the matrix, (p, d).
        bias: (p,), or None.
        tokens: what came in.
        gradient: of what went out, (n, …, p).
    """
    flat = gradient.reshape(len(gradient), -1, gradient.shape[-1])
    placed: list[Placed] = [(weight, Outer(tokens, flat))]
    return placed if bias is None else [*placed, (bias, Direct(flat.sum(1)))]


def shares(layer: nn.Module, inputs: Tensor, gradient: Tensor, tokens_of: TokensOf) -> list[Placed]:
    """Return what the rows add to the parameters of one layer in one use.

    Args:
        layer: one that `check` let pass.
        inputs: what it was given, first axis rows.
        gradient: of its output, first axis rows.
        tokens_of: makes tokens of inputs, the same for the same inputs.
    """
    weight, bias = _target(layer, "weight"), _target(layer, "bias")
    placed: list[Placed] = []
    if isinstance(layer, nn.Linear):
        return linear(Target.whole(layer.weight), bias, tokens_of(inputs), gradient)
    if isinstance(layer, nn.Embedding):
        return [(Target.whole(layer.weight), _lookup(layer, inputs, gradient))]
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        placed.append((Target.whole(layer.weight), Convolved(layer, inputs, gradient)))
        return placed if bias is None else [*placed, (bias, Direct(gradient.flatten(2).sum(2)))]
    if weight is not None:
        placed.append((weight, _direct(layer, gradient * _whitened(layer, inputs))))
    return placed if bias is None else [*placed, (bias, _direct(layer, gradient))]


def check(net: nn.Module) -> list[nn.Module]:
    """Return the layers to watch.

    Raises:
        CapabilityMissing: a layer mixes rows, or its gradients by row are not known; with what to use instead.
    """
    found = []
    for name, layer in net.named_modules():
        if why := _mixing(layer):
            raise CapabilityMissing(f"layer {name!r} is a {type(layer).__name__}: {why[0]}", hint=why[1])
        learning = {key for key, p in layer.named_parameters(recurse=False) if p.requires_grad}
        if not learning and not (isinstance(layer, nn.MultiheadAttention) and _learns(layer)):
            continue
        if not _known(layer):
            raise CapabilityMissing(
                f"layer {name or type(layer).__name__!r} is a {type(layer).__name__} with weights of its own "
                f"({', '.join(sorted(learning))}), whose gradients by row are not known",
                hint=_advice(layer),
            )
        found.append(layer)
    outside = {id(p) for layer in net.modules() if isinstance(layer, nn.MultiheadAttention) for p in layer.parameters()}
    return [x for x in found if isinstance(x, nn.MultiheadAttention) or not _inside(x, outside)]


_KNOWN = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Embedding,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.MultiheadAttention,
)
_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def _known(layer: nn.Module) -> bool:
    """Whether a layer computes what its kind does, with no weights beside the kind's own."""
    kind = next((kind for kind in _KNOWN if isinstance(layer, kind)), None)
    if kind is None or type(layer).forward is not _forward_of(kind):
        return False
    own = {name for name, _ in layer.named_parameters(recurse=False)}
    if kind is nn.MultiheadAttention:
        return not own & {"bias_k", "bias_v"} and not layer.add_zero_attn
    return own <= {"weight", "bias"}


def _forward_of(kind: type[nn.Module]) -> Any:
    return kind.forward


def _mixing(layer: nn.Module) -> tuple[str, str] | None:
    """Say why a layer lets one row see another, and what to use instead."""
    if isinstance(layer, _INSTANCE_NORMS) and layer.track_running_stats:
        return "its running averages are made from the rows without noise", "set track_running_stats=False"
    if isinstance(layer, _BATCH_NORMS) and not isinstance(layer, _INSTANCE_NORMS):
        return (
            "it normalises each row by the others, so no row's influence is bounded",
            "replace it by GroupNorm(min(32, channels), channels) or LayerNorm",
        )
    if isinstance(layer, nn.Embedding) and (layer.scale_grad_by_freq or layer.max_norm is not None):
        return "scale_grad_by_freq and max_norm make one row's change depend on others", "leave both out"
    return None


def _advice(layer: nn.Module) -> str:
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return "use convolutions or attention over time, or freeze the layer with requires_grad_(False)"
    if isinstance(layer, nn.EmbeddingBag):
        return "use Embedding and a mean over its output"
    if isinstance(layer, nn.MultiheadAttention):
        return "make it with add_bias_kv=False and add_zero_attn=False"
    return "build it from Linear, Conv1d, Conv2d, Embedding and norm layers, or freeze it with requires_grad_(False)"


def _learns(layer: nn.Module) -> bool:
    return any(p.requires_grad for p in layer.parameters())


def _inside(layer: nn.Module, outside: set[int]) -> bool:
    return any(id(p) in outside for p in layer.parameters(recurse=False))


def _target(layer: nn.Module, name: str) -> Target | None:
    parameter = getattr(layer, name, None)
    return Target.whole(parameter) if isinstance(parameter, nn.Parameter) else None


def _lookup(layer: nn.Embedding, lines: Tensor, gradient: Tensor) -> Lookup:
    flat = gradient.reshape(len(gradient), -1, gradient.shape[-1])
    places = lines.reshape(len(lines), -1)
    if layer.padding_idx is not None:
        flat = flat * (places != layer.padding_idx)[:, :, None]
    return Lookup(places, flat, layer.num_embeddings)


def _whitened(layer: nn.Module, inputs: Tensor) -> Tensor:
    """What a norm layer multiplies its weight with."""
    if isinstance(layer, nn.LayerNorm):
        return functional.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.RMSNorm):
        return functional.rms_norm(inputs, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.GroupNorm):
        return functional.group_norm(inputs, layer.num_groups, eps=layer.eps)
    assert isinstance(layer, _INSTANCE_NORMS)
    return functional.instance_norm(inputs, eps=layer.eps)


def _direct(layer: nn.Module, gradients: Tensor) -> Direct:
    """Add up over all places that share a weight of a norm layer."""
    if isinstance(layer, (nn.LayerNorm, nn.RMSNorm)):
        shape = layer.normalized_shape
        return Direct(gradients.reshape(len(gradients), -1, *shape).sum(1))
    return Direct(gradients.flatten(2).sum(2))
