"""Networks with their weights drawn anew."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def fresh(net: nn.Module) -> nn.Module:
    """Return a copy with every layer's weights drawn anew, as its kind draws them when it is made.

    Draws come from torch's global stream: call it within `own_randomness`.

    Raises:
        UsageError: a part holds weights and does not know how to draw them.
    """
    anew = copy.deepcopy(net)
    for part in anew.modules():
        # attention of torch has only a private one
        reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
        if callable(reset):
            reset()
        elif next(part.parameters(recurse=False), None) is not None:
            raise UsageError(
                f"{type(part).__name__} holds weights of its own and has no reset_parameters(), so it cannot be "
                "trained from scratch",
                hint="start from the weights given: start=given",
            )
    return anew
