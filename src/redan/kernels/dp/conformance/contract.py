"""What a private training step shows to be tested, and what a test says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from redan.core.errors import RedanError, SubjectFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

Verdict = Literal["kept", "broken", "not shown"]


class Training(Protocol):
    """One private training of a model over ``n_rows`` records, at its first step, whose weights stand still.

    Attributes:
        clip: largest length of a record's gradient, as promised.
        noise_multiplier: standard deviation of the noise over ``clip``, as promised.
        sampling_rate: probability of a record to take part in a step, as promised.
        normaliser: what the noisy sum is divided by; 1 where the update is the sum itself.
    """

    clip: float
    noise_multiplier: float
    sampling_rate: float
    normaliser: float

    def rows(self) -> Any:
        """Return the positions, in 0 … n_rows − 1, of the records that take part in the next step."""
        ...

    def update(self, x: NDArray[Any], y: NDArray[Any]) -> Any:
        """Return what the next step hands to the optimiser for these records, flat, noise included.

        Args:
            x: (m, …) records; m may be 0.
            y: (m,) their classes.
        """
        ...


Factory: TypeAlias = Callable[[int, int], Training]
"""Called as ``make(n_rows, seed)``: the same seed draws the same noise and rows; weights and promises are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A promise and whether it was kept.

    Attributes:
        name: of the promise.
        verdict: ``not shown`` when the records or the step gave no occasion to see it.
        seen: what was measured, in words.
        p: probability of something as bad by chance, of the least likely statistic; None where nothing is random.
    """

    name: str
    verdict: Verdict
    seen: str
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Records that a step is tried on.

    Attributes:
        x: (n, …) numbers.
        y: (n,) classes.
    """

    x: NDArray[Any]
    y: NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)

    def some(self, places: list[int], *, loud: bool = False) -> Records:
        """Return some of them; loud ones are a thousand times as large, and so in most models is their gradient."""
        return Records(x=self.x[places] * np.asarray(1000 if loud else 1, self.x.dtype), y=self.y[places])

    def with_(self, more: Records) -> Records:
        """Return these and more."""
        return Records(x=np.concatenate([self.x, more.x]), y=np.concatenate([self.y, more.y]))


def made(make: Factory, n_rows: int, seed: int) -> Training:
    """Call the factory.

    Raises:
        SubjectFailed: it raised, or made something else.
    """
    try:
        training = make(n_rows, seed)
        claims = [training.clip, training.noise_multiplier, training.sampling_rate, training.normaliser]
        wrong = not all(float(claim) > 0 for claim in claims)
    except RedanError:
        raise
    except Exception as err:  # code of the step's owner may raise anything
        raise SubjectFailed(
            f"making the step for {n_rows} records raised {type(err).__name__}: {err}",
            hint="it is called as make(n_rows, seed); what it returns has clip, noise_multiplier, sampling_rate, "
            "normaliser, rows() and update(x, y)",
        ) from err
    if wrong:
        raise SubjectFailed(f"a step promises numbers above 0, got {claims}")
    return training


def updated(training: Training, records: Records) -> NDArray[np.float64]:
    """Take a step and return its update times its normaliser: the clipped sum with noise, shape (d,).

    Raises:
        SubjectFailed: it raised, or the update holds no finite numbers.
    """
    try:
        found = np.asarray(training.update(records.x, records.y), np.float64).reshape(-1)
    except RedanError:
        raise
    except Exception as err:  # code of the step's owner may raise anything
        raise SubjectFailed(
            f"a step over {len(records)} records raised {type(err).__name__}: {err}",
            hint="it is called as update(x, y) with arrays and returns the flat update",
        ) from err
    if not len(found) or not np.isfinite(found).all():
        raise SubjectFailed(f"a step over {len(records)} records returned {len(found)} numbers, not all of them finite")
    return found * training.normaliser
