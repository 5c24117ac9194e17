"""What Gaussian noise on Poisson-sampled sums costs in ε, and how much noise an ε asks for.

Neighbours differ by one record that is added or removed; the sampling rate is public. ε is the one of privacy loss
distributions, computed by Google's dp-accounting with its rounding to the pessimistic side; the one of Rényi moments
stands beside it because many papers state it. The central-limit (GDP) figure is not offered: it lies below the true ε
in most ordinary settings, so it bounds nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOLERANCE = 1e-3
_MOST_NOISE = 1e7
_LEAST_NOISE = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Epsilon:
    """Upper bounds on ε at one δ.

    Attributes:
        pld: by privacy loss distributions; the tight one, which counts.
        rdp: by Rényi moments; looser, for comparison with what others state.
        delta: the δ that both hold at.
    """

    pld: float
    rdp: float
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Equal steps of one kind: a sum of Poisson-sampled records, each clipped, with Gaussian noise.

    Attributes:
        noise_multiplier: standard deviation of the noise over the clipping norm, > 0.
        sampling_rate: probability that a record takes part in a step, in (0, 1]; 1 means every record in every step.
        steps: how many, >= 0.
    """

    noise_multiplier: float
    sampling_rate: float
    steps: int

    def __post_init__(self) -> None:
        """Refuse what has no ε.

        Raises:
            UsageError: a value outside its range.
        """
        if not (math.isfinite(self.noise_multiplier) and self.noise_multiplier > 0):
            raise UsageError(f"a noise multiplier is a number above 0, got {self.noise_multiplier!r}")
        if not 0 < self.sampling_rate <= 1:
            raise UsageError(
                f"a sampling rate lies above 0 and at most at 1, got {self.sampling_rate!r}",
                hint="expected batch size / a public number of records",
            )
        if self.steps < 0:
            raise UsageError(f"a number of steps is at least 0, got {self.steps}")


def epsilon(noise_multiplier: float, sampling_rate: float, steps: int, delta: float) -> Epsilon:
    """Return what a training of equal steps costs.

    Args:
        noise_multiplier: standard deviation of the noise over the clipping norm.
        sampling_rate: probability that a record takes part in a step.
        steps: number of steps.
        delta: the δ, in (0, 1); usually well below 1 / number of records.

    Source: Koskela, Jälkö & Honkela 2020, "Computing tight DP guarantees using FFT"; Mironov, Talwar & Zhang 2019,
    "Rényi differential privacy of the sampled Gaussian mechanism".

    Raises:
        UsageError: a value outside its range.
        MissingDependency: dp-accounting is not installed.
    """
    phase = Phase(noise_multiplier=noise_multiplier, sampling_rate=sampling_rate, steps=steps)
    return epsilon_of((phase,), delta)


def epsilon_of(phases: Sequence[Phase], delta: float) -> Epsilon:
    """Return what steps of different noise and sampling cost together; see `epsilon`.

    Raises:
        UsageError: δ is not within (0, 1).
        MissingDependency: dp-accounting is not installed.
    """
    _check_delta(delta)
    if not any(phase.steps for phase in phases):
        return Epsilon(pld=0.0, rdp=0.0, delta=delta)
    library = _library()
    event = _event(library, phases)
    return Epsilon(pld=_by_pld(library, event, delta), rdp=_by_rdp(library, event, delta), delta=delta)


def noise_for(epsilon: float, sampling_rate: float, steps: int, delta: float) -> float:
    """Return a noise multiplier whose ε by privacy loss distributions is at most the one asked for.

    It is at most 0.1 % above the least such multiplier, never below.

    Raises:
        UsageError: a value outside its range, or no noise multiplier up to 10 million suffices.
        MissingDependency: dp-accounting is not installed.
    """
    _check_delta(delta)
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise UsageError(f"a target ε is a number above 0, got {epsilon!r}")
    if steps < 1:
        raise UsageError(f"noise is calibrated for at least one step, got {steps}")
    library = _library()

    def cost(noise_multiplier: float) -> float:
        phase = Phase(noise_multiplier=noise_multiplier, sampling_rate=sampling_rate, steps=steps)
        return _by_pld(library, _event(library, (phase,)), delta)

    enough = _first_enough(library, epsilon, sampling_rate, steps, delta)
    if cost(enough) > epsilon:  # rounding of the distributions at a very small ε
        raise UsageError(
            f"no noise multiplier up to {enough:g} was shown to give ε = {epsilon:g} at δ = {delta:g}",
            hint="ask for a larger ε or take fewer steps",
        )
    return _tightened(cost, enough, epsilon)


def _first_enough(library: Any, epsilon: float, sampling_rate: float, steps: int, delta: float) -> float:
    """Return a multiplier that suffices by Rényi moments, within 5 %: an upper end, for PLD is the tighter bound."""
    low, high = math.log(_LEAST_NOISE), math.log(_MOST_NOISE)
    while high - low > 0.05:
        middle = (low + high) / 2
        phase = Phase(noise_multiplier=math.exp(middle), sampling_rate=sampling_rate, steps=steps)
        low, high = (low, middle) if _by_rdp(library, _event(library, (phase,)), delta) <= epsilon else (middle, high)
    return math.exp(high)


def _tightened(cost: Any, enough: float, epsilon: float) -> float:
    step, too_little = 1.1, enough / 1.1
    while too_little > _LEAST_NOISE and cost(too_little) <= epsilon:
        enough, step = too_little, step * 1.1
        too_little = enough / step
    while enough / too_little > 1 + _TOLERANCE:
        middle = math.sqrt(enough * too_little)
        enough, too_little = (middle, too_little) if cost(middle) <= epsilon else (enough, middle)
    return enough


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise UsageError(f"δ lies between 0 and 1, got {delta!r}", hint="1e-5, or well below 1 / number of records")


def _library() -> Any:
    try:
        import dp_accounting
    except ModuleNotFoundError as err:
        raise MissingDependency.of("dp_accounting", "privacy", "privacy accounting") from err
    return dp_accounting


def _event(library: Any, phases: Sequence[Phase]) -> Any:
    events = [
        library.SelfComposedDpEvent(
            library.PoissonSampledDpEvent(p.sampling_rate, library.GaussianDpEvent(p.noise_multiplier)), p.steps
        )
        for p in phases
        if p.steps
    ]
    return events[0] if len(events) == 1 else library.ComposedDpEvent(events)


def _by_pld(library: Any, event: Any, delta: float) -> float:
    return float(library.pld.PLDAccountant().compose(event).get_epsilon(delta))


def _by_rdp(library: Any, event: Any, delta: float) -> float:
    return float(library.rdp.RdpAccountant().compose(event).get_epsilon(delta))
