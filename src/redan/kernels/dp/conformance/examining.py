"""All checks of a private step, with one false-alarm rate for all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.dp.conformance import gradients, noise, sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redan.kernels.dp.conformance.contract import Check, Factory, Records

FALSE_ALARM_RATE = 0.001
"""Chance that a step which keeps every promise is accused of anything."""
STATISTICS = (1 + noise.BLOCKS) + noise.LAGS + 2 + 1 + sampling.STATISTICS
N_CHECKS = 7
PUBLIC = "public numbers"
"""The check whose failure matters only where the number of records is itself a secret."""


def examine(make: Factory, records: Records, seed: int, stop: Callable[[], str | None]) -> Iterator[Check]:
    """Test a private step, check by check, until there is a reason to stop.

    Args:
        make: makes the step.
        records: at least two; with eight the company of a record differs most.
        seed: of all trainings that are made.
        stop: returns why to stop, or None.

    Raises:
        SubjectFailed: the step raised, returned nonsense, or draws noise that its seed does not decide.
    """
    level = FALSE_ALARM_RATE / STATISTICS
    gradients.check_seeded(make, records, seed)
    drawn: list[noise.Drawn] = []

    def noises() -> noise.Drawn:
        if not drawn:
            drawn.append(noise.draw(make, records, seed))
        return drawn[0]

    checks: list[Callable[[], Check]] = [
        lambda: gradients.check_clipping(make, records, seed),
        lambda: gradients.check_separate(make, records, seed),
        lambda: noise.check_scale(noises(), level),
        lambda: noise.check_fresh(noises(), level),
        lambda: noise.check_empty(make, records, seed, level),
        lambda: sampling.check_poisson(make, seed, level),
        lambda: noise.check_public(make, records, seed, level),
    ]
    for check in checks:
        if stop():
            return
        yield check()
