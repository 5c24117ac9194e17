"""Whatever rows come, what is served answers exactly what its subject answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests import served as made

from redan.service.models.loading import Extras, load
from redan.service.models.served import Served
from redan.service.models.source import Source
from redan.subjects.open import open_subject

ROWS = st.integers(1, 5).flatmap(
    lambda n: arrays(np.float32, (n, made.COLUMNS), elements=st.floats(-1e4, 1e4, width=32))
)


@cache
def _pair(kind: made.Kind) -> tuple[Served, Any]:
    with TemporaryDirectory() as name:
        model = made.served(Path(name), kind)
        x, _ = made.rows()
        served = load(model, Source(settings=model, root=Path(name)).hold(), Extras(sample=x[:64]), None)
        return served, open_subject(Path(name) / model.target, sample=x[:64])


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(made.KINDS), rows=ROWS)
def test_one_call_answers_what_two_calls_answer(kind: made.Kind, rows: Any) -> None:
    served, subject = _pair(kind)
    x = rows.astype(served.dtype)
    found = served.answer(x)
    assert np.array_equal(found.labels, subject.labels(x))
    assert found.scores is not None
    assert np.allclose(found.scores, subject.scores(x), rtol=1e-5, atol=1e-6)
