"""Randomised smoothing: certified Euclidean radii for any classifier that gives labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.kernels.certify.smoothing import ABSTAINED, Smoothing, smooth
from redan.kernels.draws import sample_keys
from redan.threats.evasion.proven import Proven, finding
from redan.threats.evasion.sampling import chosen
from redan.threats.evasion.scaling import scaling
from redan.threats.evasion.setting import DEFAULT_EPS, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject

    class Labelled(Subject, Labels):
        """A subject with labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothingParams(core_params.Params):
    """Parameters of randomised smoothing.

    Attributes:
        eps: Euclidean radius that counts as certified; the usual one when absent.
        sigma: standard deviation of the noise on the inputs' own scale; half the radius when absent.
        copies: noisy copies of an input that measure its class.
        alpha: probability, for each input, that its radius is too large.
        rows: most inputs.
    """

    eps: float | None = None
    sigma: float | None = None
    copies: int = 1000
    alpha: float = 0.001
    rows: int = 50


@probe(
    Spec(
        id="RDN-EVA-041",
        name="smoothing",
        threat="evasion",
        title="Certified accuracy of the randomly smoothed classifier",
        source="Cohen, Rosenfeld & Kolter 2019, ICML, theorem 1 and section 3.2.2",
        needs=("labels",),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0043", "arxiv:1902.02918"),
        default=False,
    )
)
class SmoothingProbe:
    """Measures how much of the smoothed classifier is certified, for any model that gives labels.

    What it measures:
        The share of inputs whose class, as the majority of noisy copies gives it, is right and provably stays so within
        the Euclidean distance ε. It is a statement about the smoothed classifier (mitigation randomised-smoothing), not
        about the bare one.

    Why it matters:
        It is the only certificate that needs no weights and no particular architecture.

    How:
        Some noisy copies choose a class; others, drawn independently, measure how often it is given. The
        Clopper-Pearson lower bound p of that rate gives the radius σ Φ⁻¹(p); at p ≤ 1/2 the input is left undecided.

    Shapes:
        x: (n, …) numbers. y: (n,) class indices.

    Units:
        Euclidean distances on the inputs' own scale.

    Error of the estimate:
        Each radius is too large with a probability of at most alpha; Wilson 95 % interval for the sample of inputs.

    Cost:
        1050 queries an input by default, in calls of up to 2000 rows; at most 50 inputs.

    Sources:
        Cohen, Rosenfeld & Kolter 2019, "Certified adversarial robustness via randomized smoothing".

    Limits:
        A model that was not trained with noise is often wrong on noisy copies. Radii end at σ Φ⁻¹(alpha^(1/n)), about
        2.5 σ by default. Needs one scale for all values: tables without bounds are refused.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SmoothingParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: SmoothingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Certify the first test inputs and yield one finding.

        Raises:
            BudgetSpent: before the first input.
            UsageError: the parameters mean nothing, or the columns have no common scale.
        """
        data = chosen(inputs.role("test"), params.rows)
        if scaling(subject, data) is not None:
            raise UsageError("noise needs one scale for all columns", hint="scale the columns and give bounds=(0, 1)")
        where = setting(subject, data, "l2", params.eps)
        sigma = params.sigma or max(where.eps / 2, DEFAULT_EPS["linf"] * (where.bounds[1] - where.bounds[0]))
        settings = _settings(params, sigma)
        x = np.asarray(data.x, np.float32)
        observe.started(self.spec.name, len(data))

        def predict(points: NDArray[np.float32]) -> NDArray[np.integer]:
            budget.charge(queries=len(points))
            return subject.labels(points)

        found = smooth(predict, x, settings, keys=sample_keys(seed, self.spec.id, data.indices), stop=budget.stop)
        if not found.done.any():
            raise BudgetSpent(f"no input was measured: {found.reason}", hint="give a larger budget or fewer copies")
        right = found.label == np.asarray(data.y)
        certified = right & (found.radius >= where.eps)
        observe.finished(self.spec.name, f"{certified.mean():.1%} certified")
        proven = Proven(
            right=right,
            certified=certified,
            fell=np.zeros(len(data), np.bool_),
            radius=np.where(right, found.radius, 0.0),
            stages=(
                ("certified", int(certified.sum())),
                ("right, nearer", int((right & ~certified).sum())),
                ("wrong", int((found.done & ~right & (found.label != ABSTAINED)).sum())),
                ("abstained", int((found.done & (found.label == ABSTAINED)).sum())),
                ("not reached", int((~found.done).sum())),
            ),
            partial=found.reason or "",
        )
        told = {**params.as_dict(), "eps": where.eps, "sigma": sigma}
        how = (
            f"This holds for the classifier smoothed with σ = {sigma:g}, for each input with a confidence of "
            f"{1 - params.alpha:.4g}, and says nothing about the bare model."
        )
        yield finding(self.spec, subject.ref.name, told, proven, where, data, how=how)


def _settings(params: SmoothingParams, sigma: float) -> Smoothing:
    try:
        return Smoothing(sigma=sigma, n0=max(1, params.copies // 20), n=params.copies, alpha=params.alpha)
    except ValueError as error:
        raise UsageError(str(error)) from error
