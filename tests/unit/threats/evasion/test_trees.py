"""The probe of trees: two bounds that bracket the truth, rows that the model really errs on, rules that are kept."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import redan
from redan.core.codec import decode
from redan.core.constraints import Rules
from redan.kernels.constraints.resolving import resolve
from redan.subjects.open import open_subject

X, Y = load_breast_cancer(return_X_y=True)
TRAIN, TEST = slice(0, 400), slice(400, 420)
COLUMNS = ("age", "rooms", "income", "total", "city_a", "city_b", "city_c")
RULES = {
    "immutable": ["age"],
    "integer": ["rooms"],
    "one_hot": ["city_*"],
    "only_up": ["income"],
    "range": {"rooms": [1, 8]},
    "relations": ["total <= 40 * income"],
}


def table(n=300, seed=0):
    random = np.random.default_rng(seed)
    age, rooms, income = random.uniform(18, 90, n), random.integers(1, 9, n), random.uniform(1, 9, n)
    city = np.eye(3)[random.integers(0, 3, n)]
    total = 30 * income * random.uniform(0.2, 1, n)
    x = np.column_stack([age, rooms, income, total, city])
    return x, (0.5 * rooms + income - 0.05 * age + 2 * city[:, 0] + 0.01 * total > 6).astype(np.int64)


@cache
def models():
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    made = {
        "tree": DecisionTreeClassifier(random_state=0),
        "forest": RandomForestClassifier(8, random_state=0),
        "histograms": HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "xgboost": xgboost.XGBClassifier(n_estimators=10, n_jobs=1),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
    }
    return {name: model.fit(X[TRAIN], Y[TRAIN]) for name, model in made.items()}


def attacked(model, data, **params):
    known = {name: params.pop(name) for name in ("constraints", "bounds") if name in params}
    report = redan.attack(redan.subject(model, data=data, **known), probes=["trees"], plan="quick", **params)
    assert [p.outcome for p in report.probes] == ["ran"], report.probes[0].why
    return report, report.findings[0]


def value(finding, name):
    found = finding.quantity(name)
    assert found is not None
    return found.value


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
@pytest.mark.parametrize("name", ["tree", "forest", "histograms", "xgboost", "lightgbm"])
def test_every_fallen_row_is_misclassified_at_its_distance_and_certified_is_below_attacked(name, norm):
    model, (x, y) = models()[name], (X[TEST], Y[TEST])
    report, finding = attacked(model, (x, y), norm=norm, eps={"linf": 0.25, "l2": 0.4, "l1": 0.4, "l0": 2}[norm])
    moved, fell, distance = (report.evidence(key) for key in ("adversarial", "success", "distance"))
    x, y = x[: len(moved)], y[: len(moved)]
    assert (model.predict(moved)[fell] != y[fell]).all()
    moves = np.abs(moved - x) / np.ptp(x, axis=0)
    lengths = {"linf": moves.max(1), "l2": np.linalg.norm(moves, axis=1), "l1": moves.sum(1), "l0": (moves > 0).sum(1)}
    attacked_rows = fell & (distance > 0)
    np.testing.assert_allclose(lengths[norm][attacked_rows], distance[attacked_rows], rtol=1e-4)
    upper, lower = finding.curve("accuracy_by_eps"), finding.curve("certified_by_eps")
    assert (np.array(lower.y) <= np.array(upper.y)).all()
    assert value(finding, "certified_accuracy") <= value(finding, "robust_accuracy") < value(finding, "clean_accuracy")
    if name == "tree":
        assert value(finding, "solved_exactly") == 1
        assert lower.y == upper.y


def test_boosters_themselves_are_read_as_their_wrappers_are():
    for name in ("xgboost", "lightgbm"):
        model = models()[name]
        booster = model.get_booster() if name == "xgboost" else model.booster_
        one, other = (attacked(m, (X[TEST], Y[TEST]))[1] for m in (model, booster))
        assert value(one, "median_distance") == pytest.approx(value(other, "median_distance"), rel=1e-6)


def test_trees_are_searched_by_default_and_nothing_weaker_beside_them():
    x, y = X[TEST], Y[TEST]
    tree = models()["tree"]
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)).fit(X[TRAIN], Y[TRAIN])
    for model, expected in ((tree, "trees"), (pipeline, "score-search")):
        report = redan.attack(
            redan.subject(model, data=(x, y)), threats=["evasion"], plan="quick", budget="500 queries"
        )
        ran = {p.name for p in report.probes if p.outcome != "skipped"}
        assert ran & {"trees", "score-search", "hopskipjump", "square"} == {expected}


@pytest.mark.parametrize("kind", ["tree", "forest"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l0"])
def test_rows_keep_every_rule_of_their_owner(kind, norm):
    pandas = pytest.importorskip("pandas")
    x, y = table(24, seed=1)
    x[0, 1] = 2.5  # this row breaks the rules as it is
    made = (
        DecisionTreeClassifier(random_state=0)
        if kind == "tree"
        else RandomForestClassifier(7, max_depth=5, random_state=0)
    )
    frame = pandas.DataFrame(x, columns=list(COLUMNS))
    model = made.fit(pandas.DataFrame(table()[0], columns=list(COLUMNS)), table()[1])
    eps = {"linf": 0.4, "l2": 0.5, "l0": 2}[norm]
    report, finding = attacked(model, (frame, y), norm=norm, eps=eps, constraints=RULES)
    moved, fell, distance = (report.evidence(key) for key in ("adversarial", "success", "distance"))
    clean = x[: len(moved)]
    rules = resolve(decode(Rules, RULES, ""), COLUMNS)
    own = fell & (distance > 0)
    assert own.sum() >= 5
    assert rules.feasible(moved[own], clean[own]).all()
    assert (model.predict(pandas.DataFrame(moved, columns=list(COLUMNS)))[own] != y[: len(moved)][own]).all()
    assert value(finding, "rows_not_attacked") == 1
    free = attacked(model, (frame, y), norm=norm, eps=eps)[1]
    assert value(free, "certified_accuracy") <= value(finding, "robust_accuracy")
    assert value(free, "robust_accuracy") < value(finding, "robust_accuracy")


@pytest.mark.parametrize("trees", [1, 7])
def test_where_only_the_category_counts_a_row_changes_it_to_the_cheapest_that_fools(trees):
    pandas = pytest.importorskip("pandas")
    x, _ = table(200, seed=2)
    y = x[:, 5].astype(np.int64)
    model = RandomForestClassifier(trees, max_features=None, random_state=0).fit(pandas.DataFrame(x), y)
    rules = {"immutable": ["0", "1", "2", "3"], "one_hot": [["4", "5", "6"]]}
    report, finding = attacked(model, (x[:20], y[:20]), norm="l0", eps=2, constraints=rules)
    moved = report.evidence("adversarial")
    assert value(finding, "robust_accuracy") == 0
    assert value(finding, "median_distance") == 2
    assert ((moved[:, 4:] == 1).sum(axis=1) == 1).all()
    assert (moved[:, 5] != x[:20, 5]).all()
    stuck = attacked(model, (x[:20], y[:20]), norm="l0", eps=2, constraints={**rules, "immutable": ["?"]})[1]
    assert value(stuck, "certified_accuracy") == 1


def test_images_are_rows_too():
    data, digits = load_digits(return_X_y=True)
    model = RandomForestClassifier(4, max_depth=6, random_state=0).fit(data[:500] / 16, digits[:500])
    images = (data[500:512] / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    report, _ = attacked(model, (images, digits[500:512]), bounds=(0, 1), eps=0.1)
    assert report.evidence("adversarial").shape == images.shape


def test_a_budget_cuts_short_and_says_so():
    subject = redan.subject(models()["forest"], data=(X[TEST], Y[TEST]))
    report = redan.attack(subject, probes=["trees"], budget="23 queries")
    finding = report.findings[0]
    assert "cut short" in finding.detail
    assert value(finding, "certified_accuracy") <= value(finding, "robust_accuracy")


def test_a_subject_tells_that_its_trees_can_be_read():
    assert {"trees", "refittable"} <= open_subject(models()["forest"]).capabilities
    assert "trees" in open_subject(models()["xgboost"].get_booster()).capabilities
    assert "refittable" not in open_subject(models()["xgboost"].get_booster()).capabilities
