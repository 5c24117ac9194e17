"""Parameters that every white-box probe refuses alike."""

from __future__ import annotations

import pytest

from redan.core.errors import UsageError
from redan.threats.evasion.whitebox import at_least_one


@pytest.mark.parametrize("steps", [0, -3])
def test_an_attack_that_would_do_nothing_is_refused(steps):
    with pytest.raises(UsageError, match=f"steps is {steps}; expected a whole number from 1"):
        at_least_one("steps", steps)


def test_one_step_is_enough():
    assert at_least_one("steps", 1) == 1
