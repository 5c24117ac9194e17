"""Train two classifiers of tumours on one table and save them the way teams do: ``python train.py``.

The table is scikit-learn's bundled breast_cancer: 569 rows of 30 measurements. Its columns have scales from 0.001 to
4000, so the table itself is brought to [0, 1] first; a change of 0.05 then means 5 % of a column's range everywhere.
"""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from xgboost import XGBClassifier

CACHE = Path(__file__).parent / ".cache"


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train (399 rows) and test (170 rows): columns in [0, 1] of the train range, last column ``diagnosis``."""
    bundle = load_breast_cancer(as_frame=True)
    train, test = train_test_split(bundle.frame, test_size=170, random_state=0, stratify=bundle.target)
    columns = [name.replace(" ", "_") for name in bundle.feature_names]
    scaler = MinMaxScaler(clip=True).fit(train[bundle.feature_names])
    return tuple(
        pd.DataFrame(scaler.transform(part[bundle.feature_names]), columns=columns).assign(
            diagnosis=part["target"].to_numpy()
        )
        for part in (train, test)
    )


def main() -> None:
    """Write the tables as CSV, the scikit-learn pipeline as joblib and the boosted trees in XGBoost's own JSON."""
    CACHE.mkdir(exist_ok=True)
    train, test = tables()
    train.to_csv(CACHE / "train.csv", index=False)
    test.to_csv(CACHE / "test.csv", index=False)
    x, y = train.drop(columns="diagnosis").to_numpy(), train["diagnosis"].to_numpy()
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    boosted = XGBClassifier(n_estimators=60, max_depth=3, learning_rate=0.2, random_state=0, n_jobs=1).fit(x, y)
    joblib.dump(logistic, CACHE / "logistic.joblib")
    boosted.save_model(CACHE / "boosted.json")
    test_x, test_y = test.drop(columns="diagnosis").to_numpy(), test["diagnosis"].to_numpy()
    for name, model in (("logistic", logistic), ("boosted", boosted)):
        print(f"{name}: {(model.predict(test_x) == test_y).mean():.1%} of {len(test_y)} test rows right")


if __name__ == "__main__":
    main()
