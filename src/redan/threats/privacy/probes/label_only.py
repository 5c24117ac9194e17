"""Membership inference where the model answers with labels and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.draws import content, sample_keys
from redan.kernels.inference.label_only import LADDER, noisy, smoothed
from redan.kernels.inference.rmia import usual
from redan.threats.privacy import references
from redan.threats.privacy.membership import Told, finding
from redan.threats.privacy.pool import BATCH, asked, pool_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.threats.privacy.pool import Pool

    class Labelled(Subject, Labels):
        """A subject with labels."""


MOST_COPIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOnlyParams(core_params.Params):
    """Parameters of the label-only attack.

    Attributes:
        references: 0, or reference models that tell how hard a record is, an even number.
        records: records of each side, at most; references learn from half of all of them.
        copies: noisy copies of each record at each of three strengths.
        epochs: of a reference model's training, where the recipe is ours.
    """

    references: int = 0
    records: int = 500
    copies: int = 6
    epochs: int = 20


@probe(
    Spec(
        id="RDN-PRI-004",
        name="label-only",
        threat="privacy",
        title="Membership inference from labels alone",
        source="Choquette-Choo, Tramèr, Carlini & Papernot 2021, ICML, section 3; Zarifzadeh et al. 2024, section 3",
        needs=("labels",),
        data=("train", "test"),
        cost="seconds",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:2007.14321"),
        unless="RDN-PRI-001 RDN-PRI-002",
    )
)
class LabelOnly:
    """Measures how well the firmness of a label tells training records from others.

    What it measures:
        The AUC of "the label stands under noise" between training records and others, the share of members caught when
        at most one other in a thousand or in a hundred is accused, and the risk of each record.

    Why it matters:
        Hiding, rounding or perturbing scores does nothing against it: whatever answers with a class can be asked so.

    How:
        Each record is asked as it is and in noisy copies, at three strengths from 0.05 to 0.2 standard deviations of
        each value. Without reference models the score is one for a right answer to the record itself plus the share of
        right answers to its copies. With references, trained in pairs on random halves of the records and asked in the
        same way, it is that share over their mean share, as RMIA does with probabilities: that tells a record that was
        learned from one that is easy.

    Shapes:
        train and test: (n, …) inputs with (n,) classes, from the same distribution, at least 20 rows each.

    Units:
        AUC between 0 and 1 (0.5 is guessing); shares of members; risk as the share of others accused before a record.

    Error of the estimate:
        DeLong 95 % interval for the AUC, Clopper-Pearson for the shares caught.

    Cost:
        19 queries a record with six copies; the trainings of the references, where there are any.

    Sources:
        Choquette-Choo, Tramèr, Carlini & Papernot 2021, "Label-only membership inference attacks", section 3 (noise
        in place of the distance to the boundary); Zarifzadeh, Liu & Shokri 2024, section 3, for the ratio to
        references.

    Limits:
        Noise stands in for a search of the boundary. Without references little more is found than the difference of
        accuracy gives, and hardly anything at few false accusations: give references=2 where the model can be trained
        anew. If train and test differ in anything else than membership, the figure shows that too.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LabelOnlyParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: LabelOnlyParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about every record and its copies and yield one finding."""
        if not 1 <= params.copies <= MOST_COPIES:
            raise UsageError(f"copies is {params.copies}; expected 1 to {MOST_COPIES}")
        pairs = references.count_of(params.references) if params.references else 0
        pool = pool_of(subject, inputs, params.records, self.spec, seed)
        recipe = references.recipe_for(subject, inputs, epochs=params.epochs) if pairs else None
        firmness = _Firmness(pool, subject.bounds, params.copies, self.spec.id, seed)
        counted = asked(lambda x, y: firmness.rows(subject, x, y), pool, self.spec, budget, observe, queries=firmness.n)
        right, kept = counted[:, 0], smoothed(counted.sum(axis=1), firmness.n)
        scores, how, columns, partial = right + kept, "without reference models", {"right": right, "kept": kept}, ""
        if recipe is not None:
            found = references.trained(
                *recipe, pool, pairs, self.spec, firmness.all, budget=budget, seed=seed, observe=observe
            )
            columns["usually_kept"] = usual(found.said, found.inside)
            scores = kept / columns["usually_kept"]
            how = f"beside {len(found.said)} reference models on halves of these records: {found.told}"
            partial = found.partial
        gap = float(right[pool.member].mean() - right[~pool.member].mean())
        how = (
            f"Labels only, {firmness.n} queries a record, {how}. Accuracy is {100 * gap:+.1f} points on training "
            f"records, which by itself gives an AUC of {0.5 + gap / 2:.3f}."
        )
        told = Told(pool=pool, scores=scores, how=how, columns=columns, partial=partial)
        yield finding(self.spec, subject.ref.name, params.as_dict(), told)


class _Firmness:
    """Right answers to a record and to its copies.

    Args:
        pool: all records, which say what one deviation is.
        bounds: of the model's inputs; those of the data where it has none.
        copies: of each strength.
        rule: the probe, for the draws.
        seed: root seed.
    """

    def __init__(self, pool: Pool, bounds: tuple[float, float] | None, copies: int, rule: str, seed: int) -> None:
        self._pool, self._bounds, self._copies = pool, bounds or pool.data.bounds, copies
        self._rule, self._seed = rule, seed
        x = np.asarray(pool.data.x, np.float32)
        # pixels share one scale; the columns of a table have each their own
        self._deviation = x.std(axis=0) if x.ndim == 2 else np.full(x.shape[1:], x.std(), np.float32)
        self.n = 1 + copies * len(LADDER)

    def rows(self, model: Any, x: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (n, 2): whether the record is answered rightly, and how many of its copies are."""
        keys = sample_keys(self._seed, f"{self._rule} noise", content(x))
        copies = noisy(x, keys, self._deviation, self._bounds, self._copies)
        stands = np.sum([model.labels(moved) == y for moved in copies], axis=0)
        return np.stack([model.labels(x) == y, stands], axis=1).astype(np.float64)

    def all(self, model: Any) -> NDArray[np.float64]:
        """Return (n,) the smoothed share of right answers to each record of the pool."""
        data = self._pool.data
        parts = [
            self.rows(model, data.x[k : k + BATCH], data.y[k : k + BATCH]).sum(axis=1)
            for k in range(0, len(self._pool), BATCH)
        ]
        return smoothed(np.concatenate(parts), self.n)
