"""Multi-head attention taken apart, so that its four matrices are seen at work.

Source: Vaswani et al. 2017, "Attention is all you need", section 3.2.2; arguments and answers are those of
``torch.nn.MultiheadAttention``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from redan.core.errors import CapabilityMissing
from redan.kernels.dp import layers
from redan.kernels.dp.layers import Target

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.dp.bookkeeping import Book


def attend(
    layer: nn.MultiheadAttention,
    book: Book,
    name: str,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Answer as the layer would, with every projection written down.

    Args:
        layer: attention, rows first.
        book: where the projections are recorded.
        name: of the layer.
        query: (n, t, d).
        key: (n, s, d').
        value: (n, s, d'').
        key_padding_mask: (n, s), true or minus infinity where a key does not count.
        need_weights: whether to return the weights too.
        attn_mask: (t, s) or (n × heads, t, s), true or minus infinity where a query may not look.
        average_attn_weights: whether to return the heads' mean.
        is_causal: a hint that torch allows only beside the mask it describes.

    Raises:
        CapabilityMissing: the rows are not the first axis.
    """
    if not layer.batch_first or query.ndim != 3:
        raise CapabilityMissing(
            f"attention {name!r} takes rows as its second axis or none at all",
            hint="make it with batch_first=True and give it (rows, time, width)",
        )
    parts = _projected(layer, book, name, (query, key, value))
    n, heads = len(query), layer.num_heads
    q, k, v = (part.view(n, part.shape[1], heads, -1).transpose(1, 2) for part in parts)
    mask = _mask(attn_mask, key_padding_mask, (n, heads, q.shape[2], k.shape[2]), q.dtype)
    weights = None
    if need_weights:
        scores = q @ k.transpose(-2, -1) * layer.head_dim**-0.5
        weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
        weights = functional.dropout(weights, layer.dropout, layer.training)
        mixed = weights @ v
    else:
        rate = layer.dropout if layer.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
    joined = mixed.transpose(1, 2).reshape(n, q.shape[2], layer.embed_dim)
    out = layer.out_proj
    answer = _linear(book, name, joined, Target.whole(out.weight), None if out.bias is None else Target.whole(out.bias))
    return answer, weights.mean(1) if weights is not None and average_attn_weights else weights


def _projected(layer: nn.MultiheadAttention, book: Book, name: str, given: tuple[Tensor, ...]) -> list[Tensor]:
    size, bias = layer.embed_dim, layer.in_proj_bias
    places = [(i * size, (i + 1) * size) for i in range(3)]
    if layer._qkv_same_embed_dim:
        weights = [Target(layer.in_proj_weight, *place) for place in places]
    else:
        weights = [Target.whole(w) for w in (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)]
    biases = [None if bias is None else Target(bias, *place) for place in places]
    return [_linear(book, name, x, w, b) for x, w, b in zip(given, weights, biases, strict=True)]


def _linear(book: Book, name: str, inputs: Tensor, weight: Target, bias: Target | None) -> Tensor:
    output = functional.linear(inputs, weight.lines, None if bias is None else bias.lines)
    return book.record(output, inputs, name, partial(_shares, book, weight, bias))


def _shares(book: Book, weight: Target, bias: Target | None, inputs: Tensor, gradient: Tensor) -> list[layers.Placed]:
    return layers.linear(weight, bias, book.tokens(inputs), gradient)


def _mask(
    looking: Tensor | None, padding: Tensor | None, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> Tensor | None:
    """Add up what may not be seen, as numbers, shape that broadcasts to (n, heads, t, s)."""
    n, heads, t, s = shape
    total = None
    if looking is not None:
        total = _numbers(looking, dtype)
        total = total.view(n, heads, t, s) if looking.ndim == 3 else total
    if padding is not None:
        columns = _numbers(padding, dtype)[:, None, None, :]
        total = columns if total is None else total + columns
    return total


def _numbers(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))
