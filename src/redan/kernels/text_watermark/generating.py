"""The mark as a step of generation with transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.text_watermark.green_list import Mark, green

if TYPE_CHECKING:
    from torch import Tensor


class Marking:
    """Raises the logits of green tokens; give it to ``generate`` in a ``LogitsProcessorList``.

    Args:
        mark: the secret and its strength.
    """

    def __init__(self, mark: Mark) -> None:
        self.mark = mark

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (b, v) scores with green tokens raised after each of (b, t) beginnings."""
        if input_ids.shape[1] < self.mark.context:
            return scores
        tokens = torch.arange(scores.shape[1]).numpy()
        lists = [green(self.mark, row[-self.mark.context :], tokens) for row in input_ids.tolist()]
        raised = torch.stack([torch.from_numpy(each) for each in lists]).to(scores.device)
        return scores + self.mark.push * raised.to(scores.dtype)
