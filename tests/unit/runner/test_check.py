"""What `check` does with the settings: which parameters count, what is asked of whom."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from redan.core.config import Config, load
from redan.core.errors import ConfigError, UnknownName
from redan.runner.check import applying, check, choice_of, configured, notes_of, policy_of, scan_paths


def project(folder: Path, text: str = "", **flags: Any) -> Config:
    """A project of that redan.toml; a flag's ``__`` stands for a dot."""
    file = folder / "redan.toml"
    file.write_text(text)
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return load(file=file, root=folder, environ={}, flags=given)


@pytest.mark.parametrize(
    ("threats", "quick", "flags", "params"),
    [
        (("evasion",), False, {}, {"norm": "linf"}),
        (("evasion",), True, {}, {"norm": "linf", "plan": "quick"}),
        (("evasion",), True, {"attack__params": {"plan": "deep"}}, {"norm": "linf", "plan": "deep"}),
        (("evasion",), False, {"attack__norm": "l2", "attack__eps": 0.5}, {"norm": "l2", "eps": 0.5}),
        (("privacy",), False, {}, {}),
        (("privacy",), True, {}, {"plan": "quick"}),
        (("theft",), True, {"attack__norm": "l2"}, {"norm": "l2"}),
        (("supply_chain",), True, {}, {}),
    ],
)
def test_only_what_somebody_typed_can_be_unknown_to_the_probes(
    tmp_path: Path, threats: tuple[str, ...], quick: bool, flags: dict[str, Any], params: dict[str, Any]
) -> None:
    config = project(tmp_path, "", attack__threats=threats, **flags)
    assert choice_of(config, quick=quick).params == params


def test_a_supply_chain_check_scans_and_asks_no_model(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"weights": [0.5]}))
    text = '[model]\ntarget = "net.pkl"\n[attack]\nthreats = ["supply_chain"]\n'
    report = check(project(tmp_path, text))
    assert {p.outcome for p in report.probes} == {"ran"}
    assert {p.threat for p in report.probes} == {"supply_chain"}
    assert [(a.path, a.verdict) for a in report.artifacts] == [("net.pkl", "safe")]
    assert report.gate.exit_code == 0
    named = check(project(tmp_path, '[model]\ntarget = "net.pkl"\n[attack]\nprobes = ["artifacts"]\n'))
    assert [(p.name, p.outcome) for p in named.probes] == [("artifacts", "ran")]


def test_a_model_that_cannot_be_loaded_is_a_failure_and_the_scan_still_counts(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"weights": [0.5]}))
    report = check(project(tmp_path, '[model]\ntarget = "net.pkl"\n'))
    assert ("model", "failed") in [(p.name, p.outcome) for p in report.probes]
    assert ("artifacts", "ran") in [(p.name, p.outcome) for p in report.probes]
    assert report.gate.exit_code == 3


def test_a_project_without_anything_is_never_clean(tmp_path: Path) -> None:
    assert check(project(tmp_path)).gate.exit_code == 3


def test_where_no_threat_applies_none_is_measured(tmp_path: Path) -> None:
    text = '[model]\ntarget = "https://models.example/v1"\n[exposure]\nqueries = "nobody"\n'
    config = project(tmp_path, text)
    assert applying(config, choice_of(config)).threats == ("supply_chain",)


def test_a_named_threat_is_required_and_a_misspelt_one_an_error(tmp_path: Path) -> None:
    assert policy_of(project(tmp_path, attack__threats=("privacy",))).required == ("privacy",)
    with pytest.raises(UnknownName, match="no threat named 'pivacy'"):
        check(project(tmp_path, attack__threats=("pivacy",)))


def test_the_models_own_files_are_scanned_once_with_the_paths_named(tmp_path: Path) -> None:
    for name in ("net.pkl", "weights.pt", "model.py"):
        (tmp_path / name).write_bytes(b"")
    text = '[model]\ntarget = "net.pkl"\nweights = "weights.pt"\n[scan]\npaths = ["net.pkl", "other"]\n'
    assert [p.name for p in scan_paths(project(tmp_path, text))] == ["net.pkl", "other", "weights.pt"]
    assert scan_paths(project(tmp_path, '[model]\ntarget = "model.py:build"\n')) == []
    assert scan_paths(project(tmp_path, '[model]\ntarget = "https://models.example"\n')) == []


def test_an_expired_ignore_is_noted(tmp_path: Path) -> None:
    text = "[[ignore]]\nrule = 'RDN-SUP-002'\nreason = 'a fixture'\nexpires = '2020-01-01'\n"
    (note,) = notes_of(project(tmp_path, text))
    assert note == "an ignore has expired on 2020-01-01: RDN-SUP-002 (a fixture)"


def test_a_configuration_comes_from_itself_a_path_or_the_nearest_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no redan\.toml here or above"):
        configured(None)
    config = project(tmp_path, "[run]\nseed = 3\n")
    assert configured(config) is config
    assert configured(tmp_path / "redan.toml").settings.run.seed == 3
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert configured(None).settings.run.seed == 3


MODEL = """
import torch

def build() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear({inputs}, {classes}))
"""


@pytest.mark.parametrize(
    ("inputs", "classes", "reason"),
    [(64, 10, ""), (64, 7, "7 outputs"), (63, 10, "does not accept inputs of shape")],
    ids=["fits", "too few classes", "another shape"],
)
def test_model_and_data_that_do_not_fit_are_a_failure_with_words(
    tmp_path: Path, inputs: int, classes: int, reason: str
) -> None:
    (tmp_path / "model.py").write_text(MODEL.format(inputs=inputs, classes=classes))
    text = '[model]\ntarget = "model.py:build"\n[data]\ntest = "digits"\nlimit = 60\n[attack.params]\nplan = "quick"\n'
    report = check(project(tmp_path, text))
    failed = [p.why for p in report.probes if p.outcome == "failed"]
    if reason:
        assert len(failed) == 1
        assert failed[0].startswith("the model could not be measured: ")
        assert reason in failed[0]
        assert report.gate.exit_code == 3
    else:
        assert failed == []
        assert {"cascade", "corruptions"} <= {p.name for p in report.probes if p.outcome == "ran"}
