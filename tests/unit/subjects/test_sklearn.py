"""Fitted scikit-learn classifiers, with two and three classes, named and numbered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from redan.core.errors import ShapeMismatch, UsageError
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject

IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize(("x", "y"), [IRIS, CANCER], ids=["three", "two"])
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (RandomForestClassifier(5, random_state=0), "probabilities"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "probabilities"),
        (make_pipeline(StandardScaler(), LinearSVC()), "logits"),
        (RidgeClassifier(), "logits"),
        (make_pipeline(StandardScaler(), SVC()), "logits"),
    ],
    ids=["forest", "logistic", "linear-svc", "ridge", "svc"],
)
def test_labels_and_scores_agree_with_the_estimator(x, y, model, kind):
    model.fit(x, y)
    subject = SklearnSubject(model)
    assert subject.score_kind == kind
    np.testing.assert_array_equal(subject.labels(x), model.predict(x))
    scores = subject.scores(x)
    assert scores.shape == (len(x), len(set(y)))
    np.testing.assert_array_equal(scores.argmax(axis=1), model.predict(x))


def test_named_classes_become_indices():
    x, y = IRIS
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    subject = SklearnSubject(RandomForestClassifier(5, random_state=0).fit(x, names))
    assert subject.classes == ("setosa", "versicolor", "virginica")
    assert (subject.labels(x) == y).mean() > 0.9
    assert subject.labels(x).dtype == np.int64


def test_numbers_that_are_no_indices_become_indices():
    x, y = CANCER
    subject = SklearnSubject(RandomForestClassifier(5, random_state=0).fit(x, np.where(y == 1, 1, -1)))
    assert subject.classes == ("-1", "1")
    assert (subject.labels(x) == y).mean() > 0.9
    assert SklearnSubject(subject._estimator, options=Options(classes=("no", "yes"))).classes == ("no", "yes")


def test_images_are_flattened_for_estimators_that_were():
    x, y = load_digits(return_X_y=True)
    subject = SklearnSubject(RandomForestClassifier(5, random_state=0).fit(x / 16, y))
    images = (x / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    np.testing.assert_array_equal(subject.labels(images), subject._estimator.predict(x / 16))


def test_estimators_fitted_on_tables_get_tables():
    x, y = IRIS
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    model = make_pipeline(ColumnTransformer([("scaled", StandardScaler(), ["d", "a"])]), LogisticRegression())
    model.fit(frame, y)
    np.testing.assert_array_equal(SklearnSubject(model).labels(x), model.predict(frame))


def test_one_against_one_margins_are_not_offered_as_scores():
    x, y = IRIS
    subject = SklearnSubject(SVC(decision_function_shape="ovo").fit(x, y))
    assert subject.capabilities == {"labels", "refittable"}


def test_empty_input():
    subject = SklearnSubject(LogisticRegression(max_iter=1000).fit(*IRIS))
    assert subject.labels(np.zeros((0, 4))).shape == (0,)
    assert subject.scores(np.zeros((0, 4))).shape == (0, 3)


def test_what_is_no_fitted_classifier_is_refused():
    for model in (LogisticRegression(), LinearRegression().fit(*IRIS), StandardScaler().fit(IRIS[0])):
        with pytest.raises(UsageError):
            SklearnSubject(model)


def test_wrong_width_is_a_shape_mismatch():
    with pytest.raises(ShapeMismatch, match=r"\(2, 3\)"):
        SklearnSubject(LogisticRegression(max_iter=1000).fit(*IRIS)).labels(np.zeros((2, 3)))


def test_digest_follows_the_fit():
    one, two = (LogisticRegression(max_iter=1000, C=c).fit(*IRIS) for c in (1.0, 0.1))
    assert SklearnSubject(one).ref.digest == SklearnSubject(one).ref.digest
    assert SklearnSubject(one).ref.digest != SklearnSubject(two).ref.digest


def test_class_names_in_another_order_are_refused():
    x, y = CANCER
    model = RandomForestClassifier(2, random_state=0).fit(x, np.array(["malignant", "benign"])[y])
    with pytest.raises(ShapeMismatch, match="in this order"):
        SklearnSubject(model, options=Options(classes=("malignant", "benign")))
