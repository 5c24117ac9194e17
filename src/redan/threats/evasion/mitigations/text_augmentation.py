"""Text augmentation: the model is fitted again on its texts and on what an attack makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys
from redan.kernels.text_attacks.asking import as_texts
from redan.kernels.text_attacks.characters import KINDS, misspelt
from redan.kernels.text_attacks.search import Limits, search
from redan.threats.evasion.texts import TextParams, asking_of, checked

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAugmentationParams(core_params.Params):
    """Parameters of the augmentation.

    Attributes:
        rounds: times the newest model is attacked and fitted again.
        texts: most training texts attacked in a round.
        words: most words changed in a text.
    """

    rounds: int = 2
    texts: int = 1000
    words: int = 5


@mitigation(
    Spec(
        id="RDN-EVA-119",
        name="text-augmentation",
        threat="evasion",
        title="Fitted again on attacked training texts",
        source="Goodfellow et al. 2015, section 6, with texts of Gao et al. 2018",
        needs=("labels", "text", "refittable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1412.6572", "arxiv:1801.04354", "atlas:AML.M0003"),
        default=False,
    )
)
class TextAugmentation:
    """Fits a copy of a scikit-learn pipeline on the training texts and on their attacked forms.

    What it does:
        The training texts are attacked with edits of characters; where an edit moves a text to a wrong class, the text
        with the edit and its true class joins the training texts, and the pipeline is fitted again; then once more
        against the new model.

    Why it helps:
        The weight of a text moves from single words to several, so that no one word decides.

    Shapes:
        train: (n,) texts, (n,) classes.

    Units:
        None.

    Cost:
        Each round an attack on at most ``texts`` texts and one fit.

    Sources:
        Goodfellow, Shlens & Szegedy 2015, "Explaining and harnessing adversarial examples".

    Limits:
        Only for pipelines that can be fitted again. It helps against what it was shown: the gain against other attacks
        is measured, not promised.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextAugmentationParams

    def apply(
        self,
        subject: Any,
        inputs: Inputs,
        params: TextAugmentationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject fitted again; the one given stays as it was.

        Raises:
            BudgetSpent: before the first fit.
            UsageError: nothing is to be done.
        """
        if params.rounds < 1 or params.texts < 1 or params.words < 1:
            raise UsageError(
                f"rounds is {params.rounds}, texts {params.texts} and words {params.words}; expected at least 1"
            )
        data = checked(subject, inputs, "train", len(inputs.role("train")))
        texts, y = data.x.tolist(), np.asarray(data.y).tolist()
        observe.started(self.spec.name, params.rounds)
        made: Any = None
        for number in range(params.rounds):
            asking = asking_of(made or subject, TextParams(words=params.words), budget)
            chosen = slice(0, params.texts)
            walkers = search(
                asking,
                data.x[chosen].tolist(),
                np.asarray(data.y)[chosen].tolist(),
                list(sample_keys(derive(seed, self.spec.id, number), self.spec.id, data.indices[chosen])),
                lambda word, key, place: misspelt(word, key, place, kinds=KINDS, edits=1, tries=1),
                Limits(words=params.words),
            )
            if asking.reason:
                break
            fallen = [(w.text.joined(w.best), w.truth) for w in walkers if w.best]
            texts, y = [*texts, *(text for text, _ in fallen)], [*y, *(truth for _, truth in fallen)]
            made = _fitted(subject, texts, y, note=f"text augmentation, round {number + 1}", seed=seed)
            observe.advanced(self.spec.name, number + 1, params.rounds)
        if made is None:
            raise BudgetSpent(f"the first round was not finished: {asking.reason}", hint="give a larger budget")
        observe.finished(self.spec.name, f"{len(texts) - len(data)} attacked texts joined {len(data)}")
        taken: Subject = made
        return taken


def _fitted(subject: Any, texts: list[str], y: list[int], *, note: str, seed: int) -> Subject:
    from sklearn.base import clone

    estimator = clone(subject.estimator)
    drawing = [n for n, value in estimator.get_params().items() if n.endswith("random_state") and value is None]
    estimator.set_params(**dict.fromkeys(drawing, derive(seed, "random_state") % 2**32))
    made: Subject = subject.refitted(estimator, as_texts(texts), np.array(y, np.int64), note=note)
    return made
