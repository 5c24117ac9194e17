"""Character edits: slips and look-alikes that people read over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.text_attacks.characters import HIDDEN_EDITS, KINDS, TYPOS, misspelt
from redan.threats.evasion.texts import EFFORT, TextParams, attacked, checked

if TYPE_CHECKING:
    import numpy as np

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.texts import Labelled

CHOICES = {"all": KINDS, "typos": TYPOS, "hidden": HIDDEN_EDITS}
MOST_EDITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCharactersParams(TextParams):
    """Parameters of the character edits.

    Attributes:
        edits: most edits of one word.
        kinds: typos (swap, delete, insert, neighbouring key), hidden ones (look-alikes, signs without width, case) or
            all.
        tries: forms of each kind.
    """

    edits: int = 1
    kinds: Literal["all", "typos", "hidden"] = "all"
    tries: int = 2


@probe(
    Spec(
        id="RDN-EVA-035",
        name="text-characters",
        threat="evasion",
        title="Robust accuracy of a text classifier against edits of few characters",
        source="Gao et al. 2018, algorithm 1; Pruthi, Dhingra & Lipton 2019, section 3; Boucher et al. 2022",
        needs=("labels", "text"),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1801.04354", "arxiv:1905.11268"),
    )
)
class TextCharacters:
    """Measures how many texts a few misspelt words move to a wrong class.

    What it measures:
        Robust accuracy when at most ``words`` words may be misspelt, each by at most ``edits`` edits of a character.

    Why it matters:
        Spam, abuse and fraud are written by people who try spellings until one gets through; readers hardly notice.

    How:
        Words are ranked by what the model loses without them and misspelt one after the other, the best of their forms
        each time; what is not needed is taken back. With labels alone the order is drawn and the search repeated. All
        texts advance together, in few large calls.

    Shapes:
        x: (n,) texts; y: (n,) class indices.

    Units:
        Words changed in a text; edits as Levenshtein distance.

    Error of the estimate:
        Wilson 95 % interval for the sample of texts; the value is an upper bound of the true robust accuracy.

    Cost:
        About one query for each word of a text and 15 for each word that is tried; counted in the report.

    Sources:
        Gao, Lanchantin, Soffa & Qi 2018; Pruthi, Dhingra & Lipton 2019; Boucher, Shumailov, Anderson & Papernot 2022.

    Limits:
        Greedy, so a text that stays may still fall to other edits. Words of fewer than three letters stay as they are,
        and so does what follows the 400th word. Look-alikes and neighbouring keys are those of Latin letters.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextCharactersParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TextCharactersParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack the first test texts and yield one finding."""
        if not 1 <= params.edits <= MOST_EDITS or not 1 <= params.tries <= MOST_EDITS:
            raise UsageError(f"edits is {params.edits} and tries {params.tries}; expected 1 to {MOST_EDITS}")
        data = checked(subject, inputs, "test", EFFORT[params.plan][0])

        def propose(word: str, key: np.uint64, place: int) -> tuple[str, ...]:
            return misspelt(word, key, place, kinds=CHOICES[params.kinds], edits=params.edits, tries=params.tries)

        yield attacked(self.spec, subject, data, params, propose, budget=budget, seed=seed, observe=observe)
