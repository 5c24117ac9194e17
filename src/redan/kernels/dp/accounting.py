"""What Gaussian noise on Poisson-sampled sums costs in ε, and how much noise an ε asks for.

Neighbours differ by one record that is added or removed; the sampling rate is public. ε is the one of privacy loss
distributions, computed by Google's dp-accounting with its rounding to the pessimistic side; the one of Rényi moments
stands beside it because many papers state it. The central-limit (GDP) figure is not offered: it lies below the true ε
in most ordinary settings, so it bounds nothing.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TOLERANCE = 1e-3
_MOST_NOISE = 1e7
_LEAST_NOISE = 1e-2
_WHOLE_ORDERS = (*range(2, 64), 128, 256, 512, 1024)
_ORDERS = (*(1.5 + i / 10 for i in range(95)), *range(11, 64), 128, 256, 512, 1024)
"""Orders of Rényi moments; any choice gives a bound. Those nearer to 1 have series that do not converge."""


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

    The ε that it gives lies within 0.1 % below the target, never above.

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
    reached = cost(enough)
    if reached > epsilon:  # rounding of the distributions at a very small ε
        raise UsageError(
            f"no noise multiplier up to {enough:g} was shown to give ε = {epsilon:g} at δ = {delta:g}",
            hint="ask for a larger ε or take fewer steps",
        )
    return _tightened(cost, enough, reached, epsilon)


def _first_enough(library: Any, epsilon: float, sampling_rate: float, steps: int, delta: float) -> float:
    """Return a multiplier that suffices by Rényi moments, within 5 %: an upper end, for PLD is the tighter bound."""
    low, high = math.log(_LEAST_NOISE), math.log(_MOST_NOISE)
    while high - low > 0.05:
        middle = (low + high) / 2
        phase = Phase(noise_multiplier=math.exp(middle), sampling_rate=sampling_rate, steps=steps)
        found = _by_rdp(library, _event(library, (phase,)), delta, _WHOLE_ORDERS)
        low, high = (low, middle) if found <= epsilon else (middle, high)
    return math.exp(high)


def _tightened(cost: Callable[[float], float], enough: float, reached: float, epsilon: float) -> float:
    """Lower a multiplier that reaches less than the target, by false position in log ε over log σ."""
    aim, too_little, over = epsilon * (1 - _TOLERANCE / 2), 0.0, math.inf
    while reached < epsilon * (1 - _TOLERANCE) and enough > too_little * (1 + _TOLERANCE / 10):
        if too_little:
            share = math.log(aim / reached) / math.log(over / reached)
            guess = enough * (too_little / enough) ** min(max(share, 0.05), 0.95)
        else:
            guess = enough * reached / aim  # ε falls at least like 1/σ, so this is near, and on either side
        found = cost(guess)
        if found <= epsilon:
            enough, reached = guess, found
        else:
            too_little, over = guess, found
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


def _by_rdp(library: Any, event: Any, delta: float, orders: Sequence[float] = _ORDERS) -> float:
    # it logs each order whose series does not converge and leaves it out, which is safe and no news
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return float(library.rdp.RdpAccountant(orders).compose(event).get_epsilon(delta))
    finally:
        log.setLevel(level)
