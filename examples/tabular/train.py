"""Train two classifiers of tumours on one table and save them the way teams do: ``python train.py``.

The table is scikit-learn's bundled breast_cancer: 569 rows of 30 measurements. Its columns have scales from 0.001 to
4000, so the table itself is brought to [0, 1] first; a change of 0.05 then means 5 % of a column's range everywhere.
"""

from __future__ import annotations

import csv
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from xgboost import XGBClassifier

CACHE = Path(__file__).parent / ".cache"


def split() -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Load the fixed split.

    Returns:
        Column names, train rows (399, 30) float64 in [0, 1] of their own range, train classes, 170 test rows, classes.
    """
    bundle = load_breast_cancer()
    parts = train_test_split(bundle.data, bundle.target, test_size=170, random_state=0, stratify=bundle.target)
    train_x, test_x, train_y, test_y = parts
    scaler = MinMaxScaler(clip=True).fit(train_x)
    columns = [name.replace(" ", "_") for name in bundle.feature_names]
    return columns, scaler.transform(train_x), train_y, scaler.transform(test_x), test_y


def save_table(path: Path, columns: list[str], x: np.ndarray, y: np.ndarray) -> None:
    """Write a CSV with a header line; the last column is the class."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*columns, "diagnosis"])
        table.writerows([*row, int(label)] for row, label in zip(x.tolist(), y, strict=True))


def main() -> None:
    """Write the tables as CSV, the scikit-learn pipeline as joblib and the boosted trees in XGBoost's own JSON."""
    CACHE.mkdir(exist_ok=True)
    columns, train_x, train_y, test_x, test_y = split()
    save_table(CACHE / "train.csv", columns, train_x, train_y)
    save_table(CACHE / "test.csv", columns, test_x, test_y)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train_x, train_y)
    boosted = XGBClassifier(n_estimators=60, max_depth=3, learning_rate=0.2, random_state=0, n_jobs=1)
    boosted.fit(train_x, train_y)
    joblib.dump(logistic, CACHE / "logistic.joblib")
    boosted.save_model(CACHE / "boosted.json")
    for name, model in (("logistic", logistic), ("boosted", boosted)):
        print(f"{name}: {(model.predict(test_x) == test_y).mean():.1%} of {len(test_y)} test rows right")


if __name__ == "__main__":
    main()
