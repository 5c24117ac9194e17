"""DP-SGD: training under which no record can change the model by more than ε allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.teaching import lessons_of, pupil, watch_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.dp.accounting import Epsilon
    from redan.kernels.dp.step import Privacy
    from redan.kernels.dp.training import Taken
    from redan.subjects.teaching import Pupil, Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class DpSgdParams(core_params.Params):
    """Parameters of DP-SGD; each of them is public and must not be read off the data.

    Attributes:
        epsilon: the ε to stay below; the noise follows from it.
        delta: the δ it holds at; well below 1 / the number of records.
        clip: largest length of a record's gradient.
        sampling_rate: probability of a record to take part in a step.
        epochs: times that a record takes part on average; steps are epochs / sampling_rate.
        steps: number of steps, instead of epochs.
        batch_size: what the noisy sum is divided by: a public guess of the records in a step.
        optimiser: what follows the noisy gradients; to Adam the divisor is all the same.
        learning_rate: its length of a step.
        start: fresh weights, or those given, which must never have seen these records.
        secret: noise from the operating system instead of the seed; no run is like another then.
    """

    epsilon: float = 8.0
    delta: float = 1e-5
    clip: float = 1.0
    sampling_rate: float = 0.02
    epochs: int = 20
    steps: int | None = None
    batch_size: int = 256
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 2e-3
    start: Literal["scratch", "given"] = "scratch"
    secret: bool = False


@mitigation(
    Spec(
        id="RDN-PRI-101",
        name="dp-sgd",
        threat="privacy",
        title="Differentially private training by clipped and noisy gradients",
        source="Abadi et al. 2016, CCS, algorithm 1; Bu et al. 2023, ICML, algorithm 1",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1607.00133", "arxiv:2210.00038", "arxiv:2303.00654", "atlas:AML.M0003"),
    )
)
class DpSgd:
    """Trains the model's layers anew so that (ε, δ) bounds what can be learnt about any one record.

    What it does:
        In each step every record takes part with the same public probability; its gradient is shortened to the
        clipping norm, Gaussian noise is added to the sum, and the sum is divided by a public number. The noise is the
        least that keeps all steps together below ε. Clipped sums come from one backward pass that records what each
        layer was given and what came back, so no gradient of a single record has to be held.

    Why it helps:
        It is the one defence that holds against every attack on membership and memory, also those not yet known:
        whoever sees the model can tell whether a record was in the training data hardly better than ε allows.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        ε in nats, by privacy loss distributions; that by Rényi moments is named beside it.

    Cost:
        About 1.3 to 1.5 times ordinary training, and clean accuracy: the smaller ε, the more.

    Sources:
        Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar & Zhang 2016, "Deep learning with differential privacy"; Bu,
        Wang, Zha & Karypis 2023, "Differentially private optimization on large model at small cost" (book-keeping);
        Ponomareva et al. 2023, "How to DP-fy ML" (what must be public).

    Limits:
        Neighbours differ by one added or removed record; whoever has ten records in the data has ten times ε. It
        counts one training: choosing among several spends more. Batch norm, recurrent layers and weights outside
        layers are refused. Noise is drawn in floating point by a Mersenne Twister: whoever knows the seed can
        subtract it, so ``secret=true`` is for models that are given away.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DpSgdParams

    def apply(
        self, subject: Teachable, inputs: Inputs, params: DpSgdParams, *, budget: Budget, seed: int, observe: Observer
    ) -> Subject:
        """Return a model trained anew; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first step.
            CapabilityMissing: a layer is not supported; the hint says what to use instead.
            UsageError: a parameter outside its range.
        """
        data = inputs.role("train")
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, data, params.start)
            privacy = privacy_of(params)
            before_s = budget.cpu_s
            observe.started(self.spec.name, privacy.steps)
            taken = _taught(learner, params, privacy, budget=budget, seed=seed, observe=observe)
        if taken.steps == 0:
            raise BudgetSpent(f"{self.spec.name} took no step: {taken.reason}", hint="give a larger budget")
        observe.finished(self.spec.name, f"{taken.reason or 'trained'}, {budget.cpu_s - before_s:.1f} CPU s")
        spent = _spent(privacy, params.delta)
        note = (
            f"DP-SGD, ({spent.pld:.4g}, {params.delta:g})-DP by PLD, epsilon {spent.rdp:.4g} by RDP, "
            f"noise {privacy.noise_multiplier:.4g} x clip {privacy.clip:g}, sampling rate {privacy.sampling_rate:g}, "
            f"{taken.steps} of {privacy.steps} steps from {_start(params)}, {_chance(params, seed)}"
        )
        return subject.rebuilt(learner.net, note=note)


def privacy_of(params: DpSgdParams) -> Privacy:
    """Return the public numbers of a training, its noise calibrated to ε.

    Raises:
        UsageError: a parameter outside its range.
        MissingDependency: dp-accounting is not installed.
    """
    from redan.kernels.dp.step import Privacy

    if not 0 < params.sampling_rate <= 1 or params.epochs < 1:
        raise UsageError(
            f"sampling_rate={params.sampling_rate:g}, epochs={params.epochs}; expected a probability and a count",
            hint="sampling_rate=0.02 epochs=20",
        )
    steps = math.ceil(params.epochs / params.sampling_rate) if params.steps is None else params.steps
    return Privacy(
        noise_multiplier=_noise(params.epsilon, params.sampling_rate, steps, params.delta),
        clip=params.clip,
        sampling_rate=params.sampling_rate,
        batch_size=params.batch_size,
        steps=steps,
    )


@lru_cache(maxsize=64)
def _noise(target: float, sampling_rate: float, steps: int, delta: float) -> float:
    """Calibrate once for the same public numbers: seconds of CPU."""
    from redan.kernels.dp.accounting import noise_for

    return noise_for(target, sampling_rate, steps, delta)


@lru_cache(maxsize=64)
def _spent(privacy: Privacy, delta: float) -> Epsilon:
    from redan.kernels.dp.accounting import epsilon

    return epsilon(privacy.noise_multiplier, privacy.sampling_rate, privacy.steps, delta)


def _taught(
    learner: Pupil, params: DpSgdParams, privacy: Privacy, *, budget: Budget, seed: int, observe: Observer
) -> Taken:
    from torch.nn import functional

    from redan.kernels.dp.sampling import Streams
    from redan.kernels.dp.training import train_privately

    return train_privately(
        learner.net,
        learner.inputs,
        learner.labels,
        lambda answers, labels: functional.cross_entropy(answers, labels, reduction="none"),
        privacy,
        optimiser=params.optimiser,
        learning_rate=params.learning_rate,
        streams=Streams(None if params.secret else derive(seed, DpSgd.spec.id)),
        watch=watch_of(DpSgd.spec, budget, observe),
    )


def _start(params: DpSgdParams) -> str:
    if params.start == "scratch":
        return "fresh weights"
    return "the weights given, which must not have seen these records"


def _chance(params: DpSgdParams, seed: int) -> str:
    return "secret noise" if params.secret else f"seed {seed}, which must stay secret"
