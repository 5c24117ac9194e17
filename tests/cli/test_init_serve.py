"""`redan init --serve`: settings of the gateway that nobody writes by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Cli

from redan.cli.init import command
from redan.cli.serve import command as serve
from redan.core.config import load
from redan.core.errors import ConfigError, UsageError


def ended(*words: str) -> object:
    done = CliRunner().invoke(command, list(words), standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value


def test_settings_that_exist_get_the_tables_and_keep_their_words(tmp_path: Path) -> None:
    mine = '# mine\n[project]\nname = "Fraud net"\n\n[model]\ntarget = "net.onnx"\n\n[data]\ntest = "rows.npz"\n'
    (tmp_path / "redan.toml").write_text(mine)
    assert ended(str(tmp_path), "--serve") == 0
    assert (tmp_path / "redan.toml").read_text().startswith(mine)
    settings = load(file=tmp_path / "redan.toml", root=tmp_path, environ={}).settings
    (model,) = settings.serve.models
    assert (model.name, model.target, model.sample) == ("fraud-net", "net.onnx", "rows.npz")
    assert model.detectors == ("query-sequence.npz",)
    assert settings.admission.keys == ("seal.key.pub",)
    assert [each.statement for each in settings.admission.require] == ["scan", "robustness"]
    assert settings.incidents.automatic == ("model-theft", "evasion-search")


def test_without_rows_nothing_is_asked_for_that_needs_rows(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    done = cli("init", "--serve")
    assert done.code == 0
    assert "redan seal latest --model net.onnx --key seal.key" in done.err
    settings = load(file=tmp_path / "redan.toml", root=tmp_path, environ={}).settings
    assert settings.serve.models[0].detectors == ()
    assert [each.statement for each in settings.admission.require] == ["scan"]


def test_tables_are_written_once(tmp_path: Path) -> None:
    assert ended(str(tmp_path), "--example", "--serve") == 0
    before = (tmp_path / "redan.toml").read_text()
    with pytest.raises(UsageError, match=r"has \[admission\] already"):
        ended(str(tmp_path), "--serve")
    assert (tmp_path / "redan.toml").read_text() == before


def test_nothing_to_serve_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model to serve"):
        ended(str(tmp_path), "--serve")
    assert list(tmp_path.iterdir()) == []


def test_serving_without_a_model_tells_what_writes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "redan.toml").write_text('[project]\nname = "x"\n')
    done = CliRunner().invoke(serve, ["--check"], standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert done.exception.hint == "redan init --serve"
