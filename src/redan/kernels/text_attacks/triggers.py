"""A few words that push whatever text they are put before to one class.

Source: Wallace, Feng, Kandpal, Gardner & Singh 2019, "Universal adversarial triggers for attacking and analyzing NLP".
They follow gradients through the embedding; this search only asks, word by word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.text_attacks.slots import Slots, slots

if TYPE_CHECKING:
    from redan.kernels.text_attacks.asking import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Words to be put before a text.

    Attributes:
        words: in order.
        fooled: share of the searched texts that the model errs on with them.
    """

    words: tuple[str, ...]
    fooled: float

    def changes(self, text: Slots) -> dict[int, str]:
        """Return the change of the first word that puts the trigger before it; none where there are no words."""
        return {0: " ".join((*self.words, text.words[0]))} if self.words and text.words else {}


def trigger(
    asking: Asking, texts: Sequence[str], y: Sequence[int], candidates: Sequence[str], *, length: int
) -> Trigger:
    """Search a trigger greedily: each time the word after which the mean margin is largest.

    Args:
        asking: counted access to the model.
        texts: (n,) texts that the model is right about.
        y: (n,) their classes.
        candidates: words to choose from.
        length: most words.

    Returns:
        The best trigger so far, shorter where the budget ended.
    """
    found, parts = Trigger(words=(), fooled=0.0), [slots(text) for text in texts]
    for _ in range(length):
        pairs = (
            (text.joined(Trigger(words=(*found.words, word), fooled=0).changes(text)), int(truth))
            for word in candidates
            for text, truth in zip(parts, y, strict=True)
        )
        margins = asking.margins(pairs, len(candidates) * len(texts))
        if margins is None or not len(candidates) or not len(texts):
            return found
        table = margins.reshape(len(candidates), len(texts))
        wrong = (table > 0).mean(axis=1)
        best = max(range(len(candidates)), key=lambda at: (wrong[at], float(np.mean(table[at])), -at))
        found = Trigger(words=(*found.words, candidates[best]), fooled=float(wrong[best]))
    return found
