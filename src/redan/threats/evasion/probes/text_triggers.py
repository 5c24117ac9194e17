"""Universal triggers: one short run of words that fools the model on most texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, UsageError
from redan.core.finding import Table
from redan.core.probe import Spec
from redan.kernels.draws import sample_keys
from redan.kernels.text_attacks.neighbours import LEAST_SEEN, leanings
from redan.kernels.text_attacks.search import Walker
from redan.kernels.text_attacks.slots import slots, vocabulary
from redan.kernels.text_attacks.triggers import trigger
from redan.threats.evasion.text_finding import text_finding
from redan.threats.evasion.texts import EFFORT, TextParams, asking_of, checked, settled, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.kernels.text_attacks.asking import Asking
    from redan.kernels.text_attacks.triggers import Trigger
    from redan.threats.evasion.texts import Labelled

MOST_TARGETS = 10
"""Classes that a trigger is searched for; the first of them."""
SEARCHED = 24
"""Training texts of other classes that a trigger is searched on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTriggersParams(TextParams):
    """Parameters of the triggers; ``words`` is the length of one, ``share`` and ``length`` do not apply.

    Attributes:
        words: most words of a trigger.
        candidates: words that are tried at each place of it.
    """

    words: int = 3
    candidates: int = 24


@probe(
    Spec(
        id="RDN-EVA-038",
        name="text-triggers",
        threat="evasion",
        title="Robust accuracy of a text classifier against one run of words before every text",
        source="Wallace et al. 2019, section 2, searched by queries instead of gradients",
        needs=("labels", "text"),
        data=("test", "train"),
        cost="seconds",
        references=("atlas:AML.T0043.003", "atlas:AML.T0015", "owasp:ML01", "arxiv:1908.07125"),
        default=False,
    )
)
class TextTriggers:
    """Measures how many texts the same few words before them move to a wrong class.

    What it measures:
        Robust accuracy under the best of the triggers found, one for each class that texts are pushed to.

    Why it matters:
        Found once, a trigger is copied by everybody and needs no further question to the model.

    How:
        For each class the words that speak most for it in the training texts are tried before training texts of other
        classes, and the best is kept, word after word. The triggers are then put before the test texts; the one that
        fooled most training texts is reported.

    Shapes:
        x: (n,) texts; y: (n,) class indices.

    Units:
        Fraction of the test texts that stay right.

    Error of the estimate:
        Wilson 95 % interval; the trigger is chosen on training texts alone, so that testing is fair.

    Cost:
        Classes times words times 24 candidates times 24 texts; counted in the report.

    Sources:
        Wallace, Feng, Kandpal, Gardner & Singh 2019, "Universal adversarial triggers for attacking and analyzing NLP".

    Limits:
        The words of a trigger may speak for another class to a person too: it is a push in plain sight.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextTriggersParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TextTriggersParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Search on training texts, measure on test texts, and yield one finding."""
        if params.words < 1 or params.candidates < 1:
            raise UsageError(f"words is {params.words} and candidates {params.candidates}; expected at least 1")
        data = checked(subject, inputs, "test", EFFORT[params.plan][0])
        train = checked(subject, inputs, "train", len(inputs.role("train")))
        asking = asking_of(subject, params, budget)
        walkers = [
            Walker(text=slots(text), truth=int(truth), key=key, allowed=1)
            for text, truth, key in zip(
                data.x.tolist(), data.y, sample_keys(seed, self.spec.id, data.indices), strict=True
            )
        ]
        triggers: list[tuple[int, Trigger]] = []
        observe.started(self.spec.name, MOST_TARGETS)
        if asking.begun(data.x.tolist(), walkers):
            triggers = searched(asking, train, params)
        best = max((found for _, found in triggers), key=lambda found: found.fooled, default=None)
        if best is not None and best.words:
            _tried(asking, walkers, best)
        found = settled(subject, data, walkers, asking, params, cosine=None, notes=_notes(best))
        told = text_finding(self.spec, subject, params.as_dict(), found, tables=_table(triggers, subject.classes))
        observe.finished(self.spec.name, told.title)
        yield told


def searched(asking: Asking, train: Dataset, params: TextTriggersParams) -> list[tuple[int, Trigger]]:
    """Return class → best trigger towards it, from training texts of the other classes.

    Raises:
        ShapeMismatch: one class alone.
    """
    order = np.argsort(train.indices, kind="stable")
    y, texts = np.asarray(train.y)[order], texts_of(train)
    classes = [int(c) for c in np.unique(y)][:MOST_TARGETS]
    if len(classes) < 2:
        raise ShapeMismatch(f"{train.name!r} has one class; expected several")
    leaning, counts = leanings(texts, y.tolist()), vocabulary(texts, least=LEAST_SEEN)
    found = []
    for target in classes:
        rows = np.flatnonzero(y != target)[:SEARCHED]
        words = telling(counts, leaning, target, params.candidates)
        chosen = trigger(asking, [texts[i] for i in rows], y[rows].tolist(), words, length=params.words)
        found.append((target, chosen))
        if asking.reason:
            break
    return found


def telling(
    counts: Mapping[str, int], leaning: Mapping[str, Mapping[int, float]], target: int, most: int
) -> Sequence[str]:
    """Return the words that speak most for a class, weighed by how often they were seen."""
    words = [word for word in counts if word.isalpha()]
    return sorted(words, key=lambda word: (-leaning[word].get(target, 0.0) * np.log1p(counts[word]), word))[:most]


def _tried(asking: Asking, walkers: list[Walker], best: Trigger) -> None:
    live = [w for w in walkers if w.best is None and w.text.words]
    margins = asking.margins(((w.text.joined(best.changes(w.text)), w.truth) for w in live), len(live))
    if margins is not None:
        for w, margin in zip(live, margins.tolist(), strict=True):
            w.best = best.changes(w.text) if margin > 0 else None


def _notes(best: Trigger | None) -> tuple[str, ...]:
    return () if best is None or not best.words else (f"The trigger is {' '.join(best.words)!r}",)


def _table(triggers: list[tuple[int, Trigger]], classes: tuple[str, ...]) -> tuple[Table, ...]:
    rows = tuple(
        (classes[target] if target < len(classes) else str(target), " ".join(found.words), found.fooled)
        for target, found in triggers
    )
    columns = ("towards", "trigger", "share of training texts fooled")
    return (Table(name="triggers", columns=columns, rows=rows),) if rows else ()
