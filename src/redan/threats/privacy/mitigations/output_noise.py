"""Noise on outputs: probabilities are told wrongly by a little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.answers import noised
from redan.kernels.draws import sample_keys
from redan.threats.privacy.perturbing import perturbed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored


MOST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNoiseParams(core_params.Params):
    """Parameters of noise on outputs.

    Attributes:
        deviation: of the noise on log-probabilities, in natural logarithms.
    """

    deviation: float = 2.0


@mitigation(
    Spec(
        id="RDN-PRI-105",
        name="output-noise",
        threat="privacy",
        title="Noise on probabilities, the same for the same input",
        source="Jia et al. 2019, CCS (MemGuard), for noise that keeps labels; the noise itself is Redan's own",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1909.10594", "arxiv:2007.14321", "atlas:AML.M0002"),
        default=False,
    )
)
class OutputNoise:
    """Adds normal noise to log-probabilities; the top class stays the top.

    What it does:
        The noise is drawn from a key and the input's own values, so that asking again gives the same answer and nothing
        is averaged away. Where it would change the highest class, the two probabilities change places. The model behind
        it is not touched.

    Why it helps:
        Small differences between what the model says of members and of others drown in the noise.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        Natural logarithms.

    Cost:
        One draw a class; no accuracy. Probabilities no longer say how often the model is right.

    Sources:
        Jia et al. 2019, "MemGuard", CCS; Choquette-Choo et al. 2021, "Label-only membership inference attacks", section
        5, which shows that changing scores stops no attack that reads labels.

    Limits:
        The same record with an imperceptible change gets other noise, so that whoever asks often averages it away.
        Labels stay what they were, so that attacks that read labels only (label-only) are untouched.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = OutputNoiseParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: OutputNoiseParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the change; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: the deviation is not above zero.
        """
        if not 0 < params.deviation <= MOST:
            raise UsageError(f"deviation is {params.deviation:g}; expected above 0, at most {MOST:g}")
        note = f"noise of deviation {params.deviation:g} on log-probabilities, seed {seed}"

        def change(p: NDArray[np.float64], content: NDArray[np.int64]) -> NDArray[np.float64]:
            return noised(p, sample_keys(seed, self.spec.id, content), params.deviation)

        return perturbed(subject, change, note=note, budget=budget)
