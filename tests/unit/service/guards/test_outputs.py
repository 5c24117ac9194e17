"""What leaves: broken scores never, hidden ones not, labels in agreement with what is shown; noise that is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.unit.service.guards.standing import answered, call, served

from redan.core.errors import ConfigError
from redan.core.settings_service import Guards, ServedModel
from redan.evidence.privacy_ledger.book import Cost, Ledger
from redan.service.gateway.call import Batch
from redan.service.gateway.refusal import BUDGET, FAILED
from redan.service.guards.chain import chain_for
from redan.service.guards.noise import GRID, Noise, noisy
from redan.service.guards.outputs import Finite, Shown, check_outputs


def test_an_answer_that_is_not_finite_fails_its_call_alone() -> None:
    model = served()
    good, bad = call(model, [[0, 0, 0, 1]]), call(model, [[1, 0, 0, 0], [0, 0, 1, 0]])
    batch = answered(model, good, bad)
    assert batch.scores is not None
    batch.scores[2, 1] = np.nan
    Finite().after(batch)
    assert good.refusal is None
    assert bad.refusal is FAILED


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.floats(0, 1)),
    st.integers(0, 6),
    st.integers(-1, 3),
)
@settings(max_examples=150, deadline=None)
def test_the_label_is_among_the_highest_shown_and_no_more_is_shown(x: np.ndarray, top: int, digits: int) -> None:
    model = served()
    batch = Batch(model, [call(model, np.zeros((len(x), 4)))])
    batch.scores, batch.labels = x.copy(), x.argmax(axis=1)
    Shown(Guards(top=top, round_digits=digits), model).after(batch)
    shown: Any = batch.scores
    assert shown.shape == x.shape
    for row, label in zip(shown, batch.labels, strict=True):
        assert row[label] == row.max()
        if top:
            assert (row > 0).sum() <= top
    if digits >= 0:
        assert np.array_equal(shown, np.round(shown, digits))


def test_hidden_logits_read_as_the_lowest_shown_one_and_labels_only_hides_all() -> None:
    model = served(score_kind="logits")
    batch = Batch(model, [call(model, np.zeros((1, 4)))])
    batch.scores, batch.labels = np.array([[-9.0, -2.0, -3.0, -5.0]]), np.array([1])
    Shown(Guards(top=2), model).after(batch)
    assert batch.scores.tolist() == [[-3.0, -2.0, -3.0, -3.0]]
    Shown(Guards(labels_only=True), model).after(batch)
    shown: Any = (batch.scores, batch.labels)
    assert shown[0] is None
    assert shown[1].tolist() == [1]


def test_settings_that_mean_nothing_are_refused_at_the_start() -> None:
    for wrong in ({"top": -1}, {"round_digits": -2}, {"dp_epsilon": -1.0}, {"dp_epsilon": float("nan")}):
        with pytest.raises(ConfigError):
            Guards(**wrong)  # type: ignore[arg-type]  # one number each
    with pytest.raises(ConfigError, match="answers logits"):
        check_outputs(Guards(dp_epsilon=1.0), served(score_kind="logits"))


def ledger(folder: Path, allowed: float, each: float) -> Path:
    path = folder / "privacy.ledger"
    Ledger(path=path).open_account("model:m", Cost(epsilon=allowed), Cost(epsilon=each))
    return path


def test_noise_is_paid_for_before_and_refused_when_the_budget_is_spent(tmp_path: Path) -> None:
    model, path = served(), ledger(tmp_path, 1000, 200)
    guard = Noise(model, 1.0, path)
    for _ in range(200):
        one = call(model, [[0, 0, 0, 1]])
        guard.before(Batch(model, [one]))
        assert one.refusal is None
    spent = call(model, [[0, 0, 0, 1]])
    guard.before(Batch(model, [spent]))
    assert spent.refusal is BUDGET
    assert Ledger(path=path).balance("model:m").spent.epsilon == 200
    other = call(model, np.zeros((100, 4)), client="client:b")
    guard.before(Batch(model, [other]))
    assert other.refusal is None
    # a new process remembers nothing that was not spent
    again = call(model, [[0, 0, 0, 1]])
    Noise(model, 1.0, path).before(Batch(model, [again]))
    assert again.refusal is BUDGET


def test_noise_without_an_account_is_no_noise_and_says_how_to_open_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dp_epsilon") as told:
        chain_for(served(), Guards(dp_epsilon=1.0, dp_ledger="x.ledger"), root=tmp_path)
    assert "redan data allow model:m" in str(told.value.hint)


def test_noise_has_the_scale_that_epsilon_asks_for_and_labels_come_from_it() -> None:
    epsilon, k = 4.0, 3
    drawn = noisy(np.full((20_000, k), 1 / 3), epsilon) - np.rint(GRID / 3) / GRID
    scale = (2 + k / GRID) / epsilon
    assert abs(np.abs(drawn).mean() - scale) < 0.02
    assert abs(drawn.mean()) < 0.01
    # the ratio of neighbouring probabilities is what epsilon allows
    ends = np.array([(np.abs(drawn) > t).mean() for t in (scale, 2 * scale)])
    assert abs(ends[0] / ends[1] - np.e) < 0.1
    model = served()
    batch = answered(model, call(model, np.zeros((50, 4))))
    guard = Noise.__new__(Noise)
    guard._epsilon = 1.0
    guard.after(batch)
    assert batch.scores is not None
    assert batch.labels is not None
    assert np.array_equal(batch.labels, batch.scores.argmax(axis=1))
    assert len(set(batch.labels.tolist())) > 1


def test_the_chain_holds_what_is_on_in_a_fixed_order(tmp_path: Path) -> None:
    path = ledger(tmp_path, 10, 10)
    everything = Guards(dp_epsilon=0.5, dp_ledger=path.name, top=2, round_digits=3)
    names = [guard.name for guard in chain_for(served(), everything, root=tmp_path)]
    assert names == ["validation", "output-filter", "dp-noise", "output-policy"]
    bare = Guards(validation=False, monitors=False)
    assert [guard.name for guard in chain_for(served(), bare, root=tmp_path)] == ["output-filter"]
    named = ServedModel(name="m", target="m.onnx", detectors=("d.npz",))
    with pytest.raises(ConfigError, match="shows them nothing"):
        chain_for(served(settings=named), Guards(), root=tmp_path)
