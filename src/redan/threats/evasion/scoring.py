"""One run of a score-based attack, the same for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import sample_keys
from redan.threats.evasion.blackbox import BlackBoxParams, found_by, ground, log_scores

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.kernels.attacks.decision import Scored
    from redan.threats.evasion.blackbox import Scoring


def by_scores(
    spec: Spec,
    attack: Callable[..., Scored],
    settings: Any,
    subject: Scoring,
    inputs: Inputs,
    params: BlackBoxParams,
    *,
    most: int,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Finding:
    """Attack the first test inputs and say what was found.

    Args:
        spec: of the probe.
        attack: `square`, `simba` or `nes`.
        settings: how much it asks.
        subject: the model.
        inputs: its data and the rules of a table.
        params: norm and radius.
        most: most inputs.
        budget: what may be spent.
        seed: root seed.
        observe: told about progress.
    """
    at = ground(subject, inputs, params, most, ball=True)
    observe.started(spec.name, len(at.data))
    found = attack(
        at.asking(log_scores(subject), budget),
        at.x,
        np.asarray(at.data.y),
        ball=at.ball,
        keys=sample_keys(seed, spec.id, at.data.indices),
        settings=settings,
        reach=at.feasible,
        max_queries=budget.left_queries(),
        stop=budget.stop,
        progress=observe.advanced,
    )
    told = found_by(
        spec,
        subject,
        params,
        at,
        points=found.points,
        wrong=found.success,
        already=found.success & (found.spent == 1),
        queries=found.queries,
        reason=found.reason,
    )
    observe.finished(spec.name, f"{told.title}, {found.queries} queries in {found.calls} calls")
    return told
