"""Insertions: words that say nothing about any class, put between those of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.draws import words as draw_words
from redan.kernels.text_attacks.neighbours import LEAST_SEEN, leanings
from redan.kernels.text_attacks.slots import vocabulary
from redan.threats.evasion.texts import EFFORT, TextParams, attacked, checked, texts_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.texts import Labelled

POOL = 400
"""Neutral words that are drawn from, the commonest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInsertionsParams(TextParams):
    """Parameters of the insertions.

    Attributes:
        candidates: words that are tried at one place.
        telling: most that a word may speak for one class: the logarithm of how much commoner it is there.
    """

    candidates: int = 12
    telling: float = 0.35


@probe(
    Spec(
        id="RDN-EVA-037",
        name="text-insertions",
        threat="evasion",
        title="Robust accuracy of a text classifier against insertions of neutral words",
        source="Jia & Liang 2017, section 4 (distractors, for reading comprehension); Lowd & Meek 2005, section 4",
        needs=("labels", "text"),
        data=("test", "train"),
        cost="seconds",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1707.07328"),
        default=False,
    )
)
class TextInsertions:
    """Measures how many texts a few neutral words between their own move to a wrong class.

    What it measures:
        Robust accuracy when at most ``words`` words that speak for no class may be inserted, none removed.

    Why it matters:
        Padding a message with harmless words is the oldest way around a filter, and it takes nothing away from what
        the message says.

    How:
        Words about equally common in all classes of the training texts are inserted behind words of the text, the best
        of a few drawn ones each time; what is not needed is taken back.

    Shapes:
        x: (n,) texts; y: (n,) class indices.

    Units:
        Words inserted in a text.

    Error of the estimate:
        Wilson 95 % interval for the sample of texts; the value is an upper bound of the true robust accuracy.

    Cost:
        About one query for each word of a text and 24 for each insertion; counted in the report.

    Sources:
        Jia & Liang 2017, "Adversarial examples for evaluating reading comprehension systems"; Lowd & Meek 2005, "Good
        word attacks on statistical spam filters".

    Limits:
        The words are single ones and make no sentence; a reader sees them.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextInsertionsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TextInsertionsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack the first test texts and yield one finding."""
        if params.candidates < 1:
            raise UsageError(f"candidates is {params.candidates}; expected at least 1")
        data = checked(subject, inputs, "test", EFFORT[params.plan][0])
        train = checked(subject, inputs, "train", len(inputs.role("train")))
        pool = neutral(train, params.telling)

        def propose(word: str, key: np.uint64, place: int) -> list[str]:
            if not pool:
                return []
            draws = draw_words(np.array([key]), (params.candidates,), stream=place)[0]
            return [f"{word} {pool[int(draw >> np.uint64(32)) % len(pool)]}" for draw in draws]

        note = f"{len(pool)} words that speak for no class were drawn from"
        yield attacked(
            self.spec, subject, data, params, propose, budget=budget, seed=seed, observe=observe, notes=(note,)
        )


def neutral(train: Dataset, telling: float) -> list[str]:
    """Return the commonest words that speak for no class, in the order of the alphabet."""
    texts = texts_of(train)
    leaning = leanings(texts, np.asarray(train.y)[np.argsort(train.indices, kind="stable")].tolist())
    counts = vocabulary(texts, least=LEAST_SEEN)
    fitting = [word for word in counts if word.isalpha() and max(leaning[word].values()) <= telling]
    return sorted(sorted(fitting, key=lambda word: (-counts[word], word))[:POOL])
