"""What lies in a folder, told by name and content, nothing loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redan.runner.survey import MOST_FILES, survey


def put(folder: Path, *names: str) -> None:
    """Write files with harmless content."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")


def test_an_empty_folder_offers_nothing(tmp_path: Path) -> None:
    found = survey(tmp_path)
    assert (found.models, found.data) == ((), ())


def test_models_come_by_safety_of_format_and_nearness(tmp_path: Path) -> None:
    put(tmp_path, "a.pkl", "deep/b.onnx", "c.onnx", "d.txt", "e.safetensors")
    assert survey(tmp_path).models == ("c.onnx", "deep/b.onnx", "e.safetensors", "a.pkl")


def test_test_data_comes_before_training_data(tmp_path: Path) -> None:
    put(tmp_path, "a_train.csv", "test.csv", "Train.npz", "x.parquet")
    assert survey(tmp_path).data == ("test.csv", "x.parquet", "Train.npz", "a_train.csv")


def test_a_hugging_face_folder_is_one_model(tmp_path: Path) -> None:
    put(tmp_path, "bert/config.json", "bert/model.safetensors", "other/config.json")
    assert survey(tmp_path).models[0] == "bert"
    assert "other" not in survey(tmp_path).models
    put(tmp_path, "config.json", "model.safetensors")
    assert survey(tmp_path).models[0] == "."


def test_factories_are_found_by_their_annotation_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "raise SystemExit('imported')\n"
        "def build() -> nn.Module:\n    ...\n"
        "def other(x) -> nn.Module:\n    ...\n"
        "def clf() -> sklearn.base.Classifier:\n    ...\n"
        "def helper() -> int:\n    ...\n"
    )
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert survey(tmp_path).models == ("model.py:build", "model.py:clf")


def test_folders_of_tools_and_links_out_are_not_walked(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    project = tmp_path / "project"
    put(outside, "secret.onnx")
    put(project, ".git/a.onnx", ".venv/b.onnx", "node_modules/c.onnx", ".hidden/d.onnx", "__pycache__/e.onnx")
    (project / "link").symlink_to(outside)
    (project / "loop").symlink_to(project)
    (project / "broken.onnx").symlink_to(project / "none")
    assert survey(project).models == ()


def test_a_very_large_folder_is_not_walked_to_its_end(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 5):
        (tmp_path / f"{number:05}.npz").touch()
    assert len(survey(tmp_path).data) == MOST_FILES


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_offers_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a.onnx", "closed/b.onnx")
    (tmp_path / "closed").chmod(0)
    try:
        assert survey(tmp_path).models == ("a.onnx",)
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_model_of_xgboost_is_told_from_other_json(tmp_path: Path) -> None:
    put(tmp_path, "rows.json", "d.onnx")
    (tmp_path / "model.json").write_text('{"learner":{"attributes":{}},"version":[3,0,0]}')
    (tmp_path / "far.json").write_text("{" + " " * 80 + '"learner":1}')
    assert survey(tmp_path).models == ("d.onnx", "model.json")
