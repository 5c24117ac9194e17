"""Data roles: given, or missing with advice."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import UsageError
from redan.core.inputs import Dataset, Inputs

DATA = Dataset(x=np.zeros((3, 2)), y=np.zeros(3, np.int64), name="d", sha256="", indices=np.arange(3))


def test_a_role_that_was_given() -> None:
    assert Inputs(test=DATA).role("test") is DATA
    assert len(DATA) == 3


@pytest.mark.parametrize("role", ["test", "train", "reference", "canary"])
def test_a_role_that_was_not_given_is_named(role: str) -> None:
    with pytest.raises(UsageError, match=f"this needs {role} data and none was given") as caught:
        Inputs().role(role)
    assert f"{role}=(x, y)" in caught.value.hint
