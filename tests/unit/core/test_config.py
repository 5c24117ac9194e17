"""Configuration: flags over environment over file over defaults, each value with its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redan.core.config import Config, find, load
from redan.core.errors import ConfigError, RedanError, Unreadable
from redan.core.finding import Severity
from redan.core.policy import Ignore


def loaded(folder: Path, text: str = "", environ: dict[str, str] | None = None, **flags: Any) -> Config:
    """Load a configuration from a file of that text; a flag's ``__`` stands for a dot."""
    file = folder / "redan.toml"
    file.write_text(text, encoding="utf-8")
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return load(file=file, root=folder, environ=environ or {}, flags=given)


FILE = '[run]\nseed = 1\n[gate]\nlevel = "low"\n'
SEED_VARIABLE = {"REDAN_RUN_SEED": "2"}


@pytest.mark.parametrize(
    ("text", "environ", "flag", "seed", "origin"),
    [
        ("", {}, None, 0, "default"),
        (FILE, {}, None, 1, "redan.toml"),
        (FILE, SEED_VARIABLE, None, 2, "environment REDAN_RUN_SEED"),
        ("", SEED_VARIABLE, None, 2, "environment REDAN_RUN_SEED"),
        (FILE, SEED_VARIABLE, 3, 3, "flag"),
        (FILE, {}, 3, 3, "flag"),
        (FILE, SEED_VARIABLE, 0, 0, "flag"),
    ],
)
def test_flags_beat_environment_beats_file_beats_default(
    tmp_path: Path, text: str, environ: dict[str, str], flag: int | None, seed: int, origin: str
) -> None:
    config = loaded(tmp_path, text, environ, run__seed=flag)
    assert config.settings.run.seed == seed
    shown = {key: (value, where) for key, value, where in config.rows()}
    assert shown["run.seed"][0] == seed
    assert shown["run.seed"][1].endswith(origin)


def test_sources_are_merged_key_by_key(tmp_path: Path) -> None:
    config = loaded(tmp_path, FILE, {"REDAN_DATA_LIMIT": "7"}, gate__level="critical", attack__norm="l2")
    assert config.settings.run.seed == 1
    assert config.settings.data.limit == 7
    assert config.settings.gate.level is Severity.CRITICAL
    assert config.settings.attack.norm == "l2"
    assert set(config.origins) == {"run.seed", "gate.level", "data.limit", "attack.norm"}


def test_every_setting_has_a_row(tmp_path: Path) -> None:
    rows = loaded(tmp_path).rows()
    keys = [key for key, _, _ in rows]
    assert len(set(keys)) == len(keys)
    assert {origin for _, _, origin in rows} == {"default"}
    assert {"model.target", "gate.level", "ignore", "plugins.allow"} <= set(keys)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("REDAN_MODEL_NAME", "net", "net"),
        ("REDAN_MODEL_NAME", "123", "123"),
        ("REDAN_MODEL_NAME", "true", "true"),
        ("REDAN_MODEL_NAME", '"quoted"', "quoted"),
        ("REDAN_MODEL_NAME", "", ""),
        ("REDAN_MODEL_TRUST", "true", True),
        ("REDAN_MODEL_BOUNDS", "[0, 1]", (0.0, 1.0)),
        ("REDAN_MODEL_CLASSES", '["a", "b"]', ("a", "b")),
        ("REDAN_ATTACK_EPS", "0.1", 0.1),
        ("REDAN_ATTACK_EPS", "1", 1.0),
        ("REDAN_ATTACK_PARAMS", '{plan = "quick"}', {"plan": "quick"}),
        ("REDAN_GATE_LEVEL", "Medium", Severity.MEDIUM),
        ("REDAN_ENDPOINT_TIMEOUT_S", "2.5", 2.5),
    ],
)
def test_what_the_environment_may_say(tmp_path: Path, variable: str, text: str, value: Any) -> None:
    table, _, key = variable.removeprefix("REDAN_").lower().partition("_")
    settings = loaded(tmp_path, "", {variable: text, "PATH": "/bin"}).settings
    assert getattr(getattr(settings, table), key) == value


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"REDAN_GATE_LEVL": "low"}, "REDAN_GATE_LEVL, which is no setting", "did you mean REDAN_GATE_LEVEL?"),
        ({"REDAN_XYZZY": "1"}, "REDAN_XYZZY, which is no setting", "see redan check --show-config"),
        ({"REDAN_RUN_SEED": "many"}, "REDAN_RUN_SEED is str 'many'; expected int", ""),
        ({"REDAN_GATE_LEVEL": "grave"}, "REDAN_GATE_LEVEL: 'grave' is no severity", ""),
        ({"REDAN_MODEL_TRUST": "yes"}, "REDAN_MODEL_TRUST is str 'yes'; expected bool", ""),
    ],
)
def test_what_the_environment_may_not_say(tmp_path: Path, environ: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "", environ)
    assert message in caught.value.message
    assert caught.value.hint == hint


def test_variables_of_the_test_suite_are_no_settings(tmp_path: Path) -> None:
    environ = {"REDAN_SHARED": "/x", "REDAN_HYPOTHESIS": "full", "REDAN_DEBUG": "1"}
    assert loaded(tmp_path, "", environ).origins == {}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[gate]\nlevl = 'low'", "unknown key 'gate.levl'", "did you mean 'level'?"),
        ("[gaet]\nlevel = 'low'", "unknown key 'gaet'", "did you mean 'gate'?"),
        ("[gate]\nlevel = 'grave'", "gate.level: 'grave' is no severity", ""),
        ("[attack]\nnorm = 'l7'", "attack.norm is 'l7'; expected one of 'linf', 'l2'", ""),
        ("gate = 3", "gate is int 3; expected a table of settings", ""),
        ("[model]\nbounds = [0]", "model.bounds is [0]; expected tuple or nothing", ""),
        ("[[ignore]]\nrule = 'R'\nreason = 'why'", "ignore[0] lacks 'expires', which has no default", ""),
        ("[[ignore]]\nrule = 'R'\nexpires = '2027-01-01'", "ignore[0] lacks 'reason', which has no default", ""),
        ("[gate\nlevel", "redan.toml is not valid TOML", ""),
        ("[run]\nseed = 1\nseed = 2", "redan.toml is not valid TOML", ""),
    ],
)
def test_a_file_that_does_not_fit_is_said_with_its_place(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert caught.value.message.startswith(message)
    assert caught.value.hint == hint


def test_a_wrong_file_is_an_error_even_where_a_flag_overrides_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gate\.level"):
        loaded(tmp_path, "[gate]\nlevel = 'grave'", gate__level="low")


def test_an_unknown_flag_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'gate\.levl'"):
        loaded(tmp_path, "", gate__levl="low")


def test_ignores_are_records(tmp_path: Path) -> None:
    text = "[[ignore]]\nrule = 'R'\nreason = 'why'\nexpires = '2027-01-01'\n"
    assert loaded(tmp_path, text).settings.ignore == (Ignore(rule="R", reason="why", expires="2027-01-01"),)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        load(file=tmp_path / "none.toml", root=tmp_path, environ={})
    with pytest.raises(Unreadable, match="Is a directory"):
        load(file=tmp_path, root=tmp_path, environ={})
    file = tmp_path / "redan.toml"
    file.write_bytes(b"[run]\nfolder = '\xff'")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load(file=file, root=tmp_path, environ={})


def test_relative_paths_start_at_the_file_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = loaded(project, "[data]\ntest = 'digits.npz'")
    assert config.path(config.settings.data.test) == project / "digits.npz"
    assert config.path("../x") == tmp_path / "x"
    assert config.path("/abs") == Path("/abs")
    assert config.path("") == project
    bare = load(file=None, root=elsewhere, environ={})
    assert bare.path("x") == elsewhere / "x"


def test_the_nearest_file_upwards_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find(inner) is None
    (tmp_path / "redan.toml").write_text("")
    assert find(inner) == tmp_path / "redan.toml"
    (tmp_path / "a" / "redan.toml").mkdir()
    assert find(inner) == tmp_path / "redan.toml"
    (inner / "redan.toml").write_text("")
    assert find(inner) == inner / "redan.toml"


def test_the_digest_is_of_values_not_of_origins(tmp_path: Path) -> None:
    by_file, by_flag = loaded(tmp_path, FILE), loaded(tmp_path, "", run__seed=1, gate__level="low")
    assert by_file.digest == by_flag.digest
    assert by_file.digest != loaded(tmp_path).digest


def test_every_error_of_loading_is_deliberate(tmp_path: Path) -> None:
    for text in ("=", "[[run]]", "run = []", "[run]\nseed = inf", "[attack.params]\neps = [", "\x00"):
        with pytest.raises(RedanError):
            loaded(tmp_path, text)


def test_secrets_in_the_environment_are_no_settings_and_stand_in_none(tmp_path: Path) -> None:
    secrets = dict.fromkeys(("REDAN_WEBHOOK_SECRET", "REDAN_SMTP_PASSWORD", "REDAN_OIDC_SECRET"), "hidden")
    assert "hidden" not in repr(loaded(tmp_path, environ=secrets))
