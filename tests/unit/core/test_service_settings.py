"""Numbers in the settings of what runs: one that is none, or lies below 0, would quietly switch a limit off."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from redan.core.errors import ConfigError
from redan.core.settings_service import Batching, Guards, Incidents, Limits, Update


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Guards, "rate_per_s", nan),
        (Guards, "rate_per_s", -1.0),
        (Guards, "rate_per_s", inf),
        (Guards, "rows_per_day", -1),
        (Guards, "dp_epsilon", -0.5),
        (Guards, "dp_epsilon", nan),
        (Guards, "round_digits", -2),
        (Limits, "body_s", nan),
        (Limits, "body_bytes", -1),
        (Limits, "header_s", -5.0),
        (Batching, "wait_ms", nan),
        (Incidents, "most_share", nan),
        (Incidents, "most_share", 1.5),
        (Incidents, "most_clients", -1),
        (Update, "agreement", nan),
        (Update, "agreement", 95.0),
    ],
)
def test_a_number_that_would_switch_a_limit_off_is_refused(kind: Any, field: str, value: float) -> None:
    more = {"gateway": "https://gateway.example", "canary": "2h"} if kind is Update else {}
    with pytest.raises(ConfigError, match=field):
        kind(**{field: value, **more})


@pytest.mark.parametrize("kind", [Guards, Limits, Batching, Incidents, Update])
def test_what_stands_there_by_default_is_accepted(kind: Any) -> None:
    kind()


def test_limits_may_be_off_where_zero_says_so() -> None:
    Guards(rate_per_s=0.0, rows_per_day=0, dp_epsilon=0.0, round_digits=-1)
    Incidents(most_share=1.0)
    Update(agreement=1.0, gateway="https://gateway.example", canary="2h")
