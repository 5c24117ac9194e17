"""What is loaded answers in one call what its subject answers in two; what cannot be served is refused."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from tests import served as made
from tests.served import KINDS

from redan.core.errors import ConfigError, RedanError, SubjectFailed, UsageError
from redan.core.settings_service import ServedModel
from redan.service.models.answering import answer_of, plain
from redan.service.models.factories import made_from
from redan.service.models.holding import hold
from redan.service.models.loading import Extras, load
from redan.service.models.served import Served
from redan.service.models.source import Source
from redan.subjects.detectors.served import served as detected
from redan.subjects.open import open_subject


def loaded(folder: Path, model: ServedModel, **extras: Any) -> Served:
    return load(model, Source(settings=model, root=folder).hold(), Extras(**extras), None)


def of_estimator(folder: Path, estimator: Any) -> Served:
    joblib.dump(estimator, folder / "m.joblib")
    return loaded(folder, ServedModel(name="m", target="m.joblib"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_library_answers_as_its_subject_does(tmp_path: Path, kind: made.Kind) -> None:
    model = made.served(tmp_path, kind)
    x, y = made.rows()
    served = loaded(tmp_path, model, sample=x[:64])
    file = tmp_path / model.target
    subject: Any = open_subject(file, sample=x[:64].astype(served.dtype))
    rows = x.astype(served.dtype)
    found = served.answer(rows)
    assert found.scores is not None
    assert np.array_equal(found.labels, subject.labels(rows))
    assert found.labels.dtype == np.int64
    assert np.allclose(found.scores, subject.scores(rows), atol=1e-6)
    assert served.score_kind == subject.score_kind
    assert served.shape == (30,)
    assert (found.labels == y).mean() > 0.95
    assert served.detected is not None
    # statements, audit, detectors: one name of this model, also for who calibrates beside the gateway
    assert served.digest == served.detected.digest == detected(subject).digest == sha256(file.read_bytes()).hexdigest()
    assert served.detected.parts == subject.ref.digest


@pytest.mark.parametrize("kind", ["sklearn", "onnx", "xgboost"])
def test_the_shape_of_a_row_is_known_without_a_sample(tmp_path: Path, kind: made.Kind) -> None:
    assert loaded(tmp_path, made.served(tmp_path, kind)).shape == (30,)


def test_a_network_without_a_sample_is_refused_with_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not known"):
        loaded(tmp_path, made.served(tmp_path, "torch"))


def test_columns_come_from_the_schema_or_the_estimator(tmp_path: Path) -> None:
    from pandas import DataFrame
    from sklearn.linear_model import LogisticRegression

    x, y = made.rows()
    names = [f"c{i}" for i in range(30)]
    fitted = LogisticRegression(max_iter=50, tol=1).fit(DataFrame(x / x.max(axis=0), columns=names), y)
    served = of_estimator(tmp_path, fitted)
    assert served.columns == tuple(names)
    assert np.array_equal(served.answer(x).labels, fitted.predict(DataFrame(x, columns=names)))


def test_where_predict_is_not_the_highest_probability_both_are_asked(tmp_path: Path) -> None:
    from sklearn.svm import SVC

    x, y = made.rows()
    subject: Any = open_subject(SVC().fit(x, y))
    assert np.array_equal(answer_of(subject)(x).labels, subject.labels(x))


def test_labels_alone_have_no_scores(tmp_path: Path) -> None:
    from sklearn.linear_model import Perceptron
    from sklearn.neighbors import NearestCentroid

    x, y = made.rows()
    assert of_estimator(tmp_path, Perceptron().fit(x, y)).answer(x[:3]).labels.shape == (3,)
    subject: Any = open_subject(NearestCentroid().fit(x, y))
    assert answer_of(subject)(x[:5]).labels.shape == (5,)


def test_class_names_of_text_become_indices(tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    x, y = made.rows()
    served = of_estimator(tmp_path, DecisionTreeClassifier(max_depth=2).fit(x, np.array(["bad", "good"])[y]))
    assert served.classes == ("bad", "good")
    assert (served.answer(x).labels == y).mean() > 0.8


def test_a_tie_is_decided_as_predict_decides_it() -> None:
    from sklearn.linear_model import LogisticRegression

    x = np.array([[0.0], [1.0]])
    model = LogisticRegression().fit(x, [0, 1])
    model.coef_[:], model.intercept_[:] = 1e-18, 1e-18
    subject: Any = open_subject(model)
    assert np.array_equal(answer_of(subject)(x).labels, subject.labels(x))
    assert np.array_equal(answer_of(subject)(x).labels, [1, 1])


def test_a_lightgbm_file_is_served(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    x, y = made.rows()
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 4}, lightgbm.Dataset(x, y), 5
    )
    booster.save_model(str(tmp_path / "m.txt"))
    served = loaded(tmp_path, ServedModel(name="m", target="m.txt"))
    assert served.shape == (30,)
    assert (served.answer(x).labels == y).mean() > 0.9


def test_an_onnx_file_that_answers_maps_is_served(tmp_path: Path) -> None:
    from tests.unit.subjects.test_onnx import classifier

    (tmp_path / "m.onnx").write_bytes(classifier(zipmap=True).SerializeToString())
    served = loaded(tmp_path, ServedModel(name="m", target="m.onnx"))
    found = served.answer(np.eye(4, dtype=np.float32))
    assert found.scores is not None
    assert found.scores.shape == (4, 3)


def test_rows_that_do_not_fit_are_an_error_of_the_model_and_not_a_crash(tmp_path: Path) -> None:
    served = loaded(tmp_path, made.served(tmp_path, "onnx"))
    with pytest.raises(RedanError):
        served.answer(np.zeros((2, 7), np.float32))


def test_nan_scores_are_no_answer(tmp_path: Path) -> None:
    served = loaded(tmp_path, made.served(tmp_path, "onnx"))
    with pytest.raises(SubjectFailed, match="NaN"):
        served.answer(np.full((1, 30), np.nan, np.float32))


_NET = """
from layers import hidden
import torch
def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(hidden(), torch.nn.ReLU(), torch.nn.Linear(8, 2))
"""
_LAYERS = "import torch\ndef hidden():\n    return torch.nn.Linear(30, 8)\n"


def network(folder: Path, *, seed: int = 1) -> ServedModel:
    """Write a folder with code and weights."""
    import torch
    from safetensors.torch import save

    inside = folder / "net"
    inside.mkdir()
    (inside / "net.py").write_text(_NET)
    (inside / "layers.py").write_text(_LAYERS)
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(30, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    (inside / "w.safetensors").write_bytes(save(net.state_dict()))
    return ServedModel(name="net", target="net/net.py:make", weights="net/w.safetensors")


def test_a_factory_runs_from_the_bytes_that_were_judged_and_not_from_the_files(tmp_path: Path) -> None:
    model = network(tmp_path)
    held = Source(settings=model, root=tmp_path).hold()
    for name in ("net.py", "layers.py"):
        (tmp_path / "net" / name).write_text("raise SystemExit('the files were read again')")
    (tmp_path / "net" / "w.safetensors").write_bytes(b"")
    x, _ = made.rows()
    served = load(model, held, Extras(sample=x[:8]), None)
    found = served.answer(x[:4].astype(np.float32))
    assert found.scores is not None
    assert found.scores.shape == (4, 2)
    assert set(held.model.files) == {"layers.py", "net.py", "w.safetensors"}


def test_modules_of_a_judged_folder_do_not_stay_behind() -> None:
    import sys

    first = made_from({"a.py": b"import b\ndef f(): return b.X", "b.py": b"X = 1"}, "a.py", "f")
    second = made_from({"a.py": b"import b\ndef f(): return b.X", "b.py": b"X = 2"}, "a.py", "f")
    assert (first, second) == (1, 2)
    assert "b" not in sys.modules


def test_weights_outside_of_the_judged_folder_are_refused(tmp_path: Path) -> None:
    network(tmp_path)
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "net" / "w.safetensors").read_bytes())
    model = ServedModel(name="net", target="net/net.py:make", weights="w.safetensors")
    with pytest.raises(ConfigError, match="outside"):
        Source(settings=model, root=tmp_path).hold()


def test_code_that_raises_is_told_and_not_thrown() -> None:
    with pytest.raises(SubjectFailed, match="ZeroDivisionError"):
        made_from({"a.py": b"1/0\n"}, "a.py", "f")


class _Chance:
    """Answers by chance."""

    classes_ = np.array([0, 1])
    n_features_in_ = 30

    def predict(self, x: Any) -> Any:
        return np.random.default_rng().integers(0, 2, len(x))


def test_a_model_that_answers_by_chance_is_not_served() -> None:
    from redan.service.models.loading import _checked

    subject: Any = open_subject(_Chance())
    with pytest.raises(SubjectFailed, match="otherwise"):
        _checked(subject, np.zeros((64, 30)))


def test_a_plain_subject_is_asked_by_its_own_methods() -> None:
    subject: Any = open_subject(made.pipeline())
    x, _ = made.rows()
    assert np.array_equal(plain(subject)(x).labels, subject.labels(x))


def test_a_missing_target_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RedanError, match=r"gone\.onnx"):
        hold(tmp_path / "gone.onnx")


def test_a_pipe_in_the_place_of_a_model_is_refused_at_once(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(RedanError):
        hold(tmp_path / "m.onnx")


def test_bytes_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    stream = BytesIO()
    np.save(stream, np.zeros(3))
    (tmp_path / "m.npy").write_bytes(stream.getvalue())
    with pytest.raises(RedanError):
        loaded(tmp_path, ServedModel(name="m", target="m.npy"))
