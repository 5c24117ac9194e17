"""RMIA: the strongest known membership inference for few reference models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.inference.confidence import margins, shares
from redan.kernels.inference.rmia import OFFLINE_A, usual, usual_offline
from redan.threats.privacy import references
from redan.threats.privacy.membership import Told, finding
from redan.threats.privacy.pool import asked, pool_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.privacy.references import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class RmiaParams(core_params.Params):
    """Parameters of RMIA.

    Attributes:
        references: reference models, an even number: they come in pairs on two halves.
        records: records of each side, at most; references learn from half of all of them.
        mode: whether what references say that learned from a record is used (online), or only what others say.
        a: offline, how much of what models outside say stands for what all models say.
        epochs: of a reference model's training, where the recipe is ours.
    """

    references: int = 2
    records: int = 2000
    mode: Literal["online", "offline"] = "online"
    a: float = OFFLINE_A
    epochs: int = 20


@probe(
    Spec(
        id="RDN-PRI-002",
        name="rmia",
        threat="privacy",
        title="Membership inference by RMIA with few reference models",
        source="Zarifzadeh, Liu & Shokri 2024, ICML, section 3",
        needs=("scores",),
        data=("train", "test"),
        cost="minutes",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:2312.03262"),
    )
)
class Rmia:
    """Measures whether records stand out for this model against models trained like it.

    What it measures:
        The AUC of "the model is surer of this record than models in general are" between training records and others,
        the share of members caught when at most one other in a thousand or in a hundred is accused, and the risk of
        each record.

    Why it matters:
        Whoever can tell that a record was in the training data of a clinic's model knows that the person was a patient.
        An attacker who can train a model or two of the kind sees far more than the loss alone shows.

    How:
        Reference models are trained in pairs on random halves of the records, so that for each record one model of a
        pair learned from it and the other did not. P(x) is the mean of the two; P(x | θ) / P(x) says how much more this
        model believes in the record than models in general. A record's risk is the share of test records whose ratio
        is not lower: who is accused wrongly before it. Both kinds of reference are used, so that two models suffice;
        offline only those that did not learn from the record are.

    Shapes:
        train and test: (n, …) inputs with (n,) classes, from the same distribution, at least 20 rows each.

    Units:
        AUC between 0 and 1 (0.5 is guessing); shares of members; risk as the share of others accused before a record.

    Error of the estimate:
        DeLong 95 % interval for the AUC, Clopper-Pearson for the shares caught. Other reference models move the AUC
        too: by about 0.005 (one standard deviation) with two of them on Fashion-MNIST.

    Cost:
        Training the references, each on half of the records; one forward pass of each model.

    Sources:
        Zarifzadeh, Liu & Shokri 2024, "Low-cost high-power membership inference attacks", section 3; offline with the
        guess of P(x) that the authors give for it.

    Limits:
        References that are trained otherwise than the model, or on far fewer records, find less: name the owner's
        training with [model] recipe and raise records. A low figure is no proof of privacy; only training with
        differential privacy bounds every attack. If train and test differ in anything else than membership, the figure
        shows that difference too.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RmiaParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: RmiaParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Train references, score every record and yield one finding."""
        pairs = references.count_of(params.references)
        if not 0 <= params.a <= 1:
            raise UsageError(f"a is {params.a:g}; expected 0 to 1")
        pool = pool_of(subject, inputs, params.records, self.spec, seed)
        recipe, told = references.recipe_for(subject, inputs, epochs=params.epochs)
        target = asked(
            lambda x, y: margins(subject.scores(x), y, kind=subject.score_kind), pool, self.spec, budget, observe
        )
        found = references.trained(
            recipe,
            told,
            pool,
            pairs,
            self.spec,
            lambda model: references.odds(model, pool),
            budget=budget,
            seed=seed,
            observe=observe,
        )
        probabilities, own = shares(found.said), shares(target)
        if params.mode == "online":
            general = usual(probabilities, found.inside)
        else:
            general = usual_offline(probabilities, found.inside, params.a)
        count = len(found.said)
        yield finding(
            self.spec,
            subject.ref.name,
            params.as_dict(),
            Told(
                pool=pool,
                scores=own / general,
                how=f"{count} reference models on halves of these {len(pool)} records, {params.mode}: {found.told}.",
                columns={"probability": own, "usual_probability": general},
                partial=found.partial,
            ),
        )
