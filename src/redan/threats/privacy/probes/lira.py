"""LiRA: the likelihood ratio attack, for whoever can train many reference models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.inference import lira
from redan.kernels.inference.confidence import margins
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
class LiraParams(core_params.Params):
    """Parameters of LiRA.

    Attributes:
        references: reference models, an even number: they come in pairs on two halves.
        records: records of each side, at most; references learn from half of all of them.
        mode: whether what references say that learned from a record is used (online), or only what others say.
        fixed_variance: one variance for all records, which is better up to some 64 references; else one for each.
        epochs: of a reference model's training, where the recipe is ours.
    """

    references: int = 16
    records: int = 2000
    mode: Literal["online", "offline"] = "online"
    fixed_variance: bool = True
    epochs: int = 20


@probe(
    Spec(
        id="RDN-PRI-003",
        name="lira",
        threat="privacy",
        title="Membership inference by likelihood ratio (LiRA)",
        source="Carlini et al. 2022, IEEE S&P, algorithm 1",
        needs=("scores",),
        data=("train", "test"),
        cost="minutes",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:2112.03570"),
        default=False,
    )
)
class Lira:
    """Measures whether the model treats a record like models that learned from it do.

    What it measures:
        The AUC of a likelihood ratio between training records and others, the share of members caught when at most one
        other in a thousand or in a hundred is accused, and the risk of each record.

    Why it matters:
        It is the attack that most published figures are quoted with, and the most careful one where many reference
        models can be paid for.

    How:
        Reference models are trained in pairs on random halves of the records. The log-odds of the true class are nearly
        normal; one normal is fitted to models that learned from a record, one to the others, and the score is the log
        of their ratio at what the model says. Offline only models that did not learn from the record are used, and the
        score is how many deviations above them the model lies.

    Shapes:
        train and test: (n, …) inputs with (n,) classes, from the same distribution, at least 20 rows each.

    Units:
        AUC between 0 and 1 (0.5 is guessing); shares of members; risk as the share of others accused before a record.

    Error of the estimate:
        DeLong 95 % interval for the AUC, Clopper-Pearson for the shares caught.

    Cost:
        Training the references, each on half of the records; one forward pass of each model.

    Sources:
        Carlini, Chien, Nasr, Song, Terzis & Tramèr 2022, "Membership inference attacks from first principles",
        algorithm 1, its offline variant, and one variance for all records where references are few.

    Limits:
        RMIA found more with up to 32 references on Fashion-MNIST. One query a record: the paper's several augmented
        queries are not used. If train and test differ in anything else than membership, the figure shows that too.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LiraParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: LiraParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Train references, score every record and yield one finding."""
        pairs = references.count_of(params.references)
        if pairs < 2 and not (params.fixed_variance and params.mode == "online"):
            raise UsageError(
                f"with {params.references} references one model is left outside of a record, which has no variance",
                hint="give references=4 or more",
            )
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
        attack = lira.online if params.mode == "online" else lira.offline
        ratio = attack(target, found.said, found.inside, fixed_variance=params.fixed_variance)
        count = len(found.said)
        yield finding(
            self.spec,
            subject.ref.name,
            params.as_dict(),
            Told(
                pool=pool,
                scores=ratio,
                how=f"{count} reference models on halves of these {len(pool)} records, {params.mode}: {found.told}.",
                columns={"log_odds": target},
                partial=found.partial,
            ),
        )
