"""The guards of one version of a model, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.service.guards.detectors import DENY_RATE, Screen, open_detectors, stands_in_path
from redan.service.guards.noise import Noise
from redan.service.guards.outputs import Finite, Shown, check_outputs
from redan.service.guards.validation import Validation

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.settings_service import Guards
    from redan.service.gateway.call import BatchGuard
    from redan.service.guards.detectors import Suspects
    from redan.service.models.served import Served


def chain_for(
    served: Served, guards: Guards, *, root: Path, suspects: Suspects | None = None
) -> tuple[BatchGuard, ...]:
    """Return the guards that settings ask for, cheapest refusals first; names are stable, for metrics and prices.

    Args:
        served: the version.
        guards: what is on.
        root: folder that relative paths start from.
        suspects: whom the monitors beside the path found.

    Raises:
        ConfigError: the settings do not fit the model, or no ledger pays for its noise.
        Unreadable, EvidenceError, ShapeMismatch: a detector's file is none of this model.
    """
    check_outputs(guards, served)
    chain: list[BatchGuard] = []
    if guards.monitors and suspects is not None:
        chain.append(suspects)
    if guards.validation:
        chain.append(Validation(served))
    if guards.monitors:
        chain += [
            Screen(monitor, denies=monitor.made.calibration.asked_rate <= DENY_RATE)
            for monitor in open_detectors(served, root)
            if stands_in_path(monitor)
        ]
    chain.append(Finite())
    if guards.dp_epsilon:
        # last before the model: what another guard refuses is not paid for
        chain.append(Noise(served, guards.dp_epsilon, root / guards.dp_ledger))
    if guards.labels_only or guards.top or guards.round_digits >= 0:
        chain.append(Shown(guards, served))
    return tuple(chain)
