"""Playbooks: the built-in ones are whole, and every mistake is told with the step it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.config import load
from redan.core.errors import ConfigError, RedanError, Unreadable
from redan.core.finding import Severity
from redan.service.incidents.incident import CONTAINING, Found, Incident
from redan.service.incidents.playbook import UNDOABLE, built_in, opened, parse, read

GOOD = """
name = "own"
title = "Ours"

[when]
threats = ["theft"]
severity = "medium"

[[steps]]
name = "slow"
do = "throttle"
mode = "automatic"
rate_per_s = 0.5
lasting = "1h"

[[steps]]
name = "away"
do = "suspend"
approval = "two"
"""


def test_the_built_in_playbooks_are_seven_and_none_stops_a_model_by_itself() -> None:
    names = [playbook.name for playbook in built_in()]
    assert names == [
        "audit-failure",
        "credential-abuse",
        "data-breach",
        "drift",
        "evasion-search",
        "model-theft",
        "poisoned-model",
    ]
    for playbook in built_in():
        for step in playbook.steps:
            if step.do in ("quarantine", "rollback", "revoke"):
                assert (step.mode, step.persons > 0) == ("manual", True)
            if step.mode == "automatic" and step.do in CONTAINING:
                assert step.do in UNDOABLE
        assert playbook.steps[-1].do == "close"


def test_a_playbook_is_read_and_fits_by_rule_or_threat_and_severity() -> None:
    playbook = parse(GOOD, "own.toml")
    assert [(s.name, s.persons, s.lasting_s) for s in playbook.steps] == [("slow", 0, 3600), ("away", 2, 86_400)]

    def incident(threat: str, severity: Severity) -> Incident:
        found = Found(rule="R", threat=threat, subject="credit", severity=severity, client="client:a", own=False)
        return Incident(number=1, title="", rule="R", threat="", subject="", opened_us=0, findings=(found,))

    assert playbook.fitting(incident("theft", Severity.MEDIUM))
    assert not playbook.fitting(incident("theft", Severity.LOW))
    assert not playbook.fitting(incident("evasion", Severity.HIGH))
    # without a person's word nothing is done about what a person wrote down
    written = incident("theft", Severity.HIGH)
    assert not playbook.fitting(written, own=True)
    assert playbook.targets(written, playbook.steps[0]) == ("client:a",)
    assert playbook.targets(written, playbook.steps[0], own=True) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('do = "suspend"', 'do = "suspnd"', r"step 2 \('away', after 'slow'\): nothing does 'suspnd'"),
        ('do = "throttle"', 'do = "throttel"', r"step 1 \('slow'\): nothing does"),
        ('lasting = "1h"', 'lastng = "1h"', "lastng"),
        ('lasting = "1h"', 'lasting = "1y"', r"step 1 \('slow'\): lasting"),
        ('lasting = "1h"', 'lasting = "0h"', "lasts no time"),
        ("rate_per_s = 0.5", "rate_per_s = 0", "more than 0"),
        ("rate_per_s = 0.5", "rate_per_s = nan", "more than 0"),
        ("rate_per_s = 0.5", 'text = "x"', "throttle takes no text"),
        ('approval = "two"', 'approval = "three"', r"step 2 \('away', after 'slow'\)"),
        ('name = "away"', 'name = "slow"', "two steps are named 'slow'"),
        ('name = "away"', 'name = "Away!"', "small letters"),
        ('name = "away"', 'name = "away', r"near step 2 \('slow'\)"),
        ('do = "suspend"', 'do = "close"\nmode = "automatic"', "a person closes"),
        ('do = "suspend"', 'do = "rollback"\nmodel = "*"', "for a quarantine alone"),
        ('do = "suspend"', 'do = "quarantine"\nmode = "automatic"\nmodel = "*"', "a person orders it"),
        ('threats = ["theft"]', "", "names no rule and no threat"),
        ('severity = "medium"', 'severity = "awful"', "severity"),
        ('title = "Ours"', 'titel = "Ours"', "unknown key 'titel'"),
        ('name = "own"', "", "name"),
    ],
)
def test_a_mistake_is_told_with_its_step(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=says):
        parse(GOOD.replace(old, new, 1), "own.toml")


def test_the_nearest_name_is_the_hint() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace('do = "suspend"', 'do = "suspnd"'), "own.toml")
    assert caught.value.hint == "did you mean 'suspend'?"


VALUES = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.floats()),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"' if isinstance(value, str) else str(value)


@settings(max_examples=120, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(["name", "do", "mode", "approval", "rate_per_s", "lasting", "text", "model", "odd"]),
            st.one_of(VALUES, st.sampled_from(["throttle", "close", "automatic", "two", "1h", "notify"])),
        ),
        max_size=3,
    )
)
def test_whatever_is_written_is_read_or_refused_with_words(rows: list[dict[str, object]]) -> None:
    text = 'name = "x"\n[when]\nthreats = ["theft"]\n'
    for row in rows:
        text += "[[steps]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in row.items())
    try:
        playbook = parse(text, "x.toml")
    except RedanError:
        return
    assert all(step.do != "close" or step.mode == "manual" for step in playbook.steps)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_at_all_raises_anything_else(text: str) -> None:
    with pytest.raises(RedanError):
        parse(text, "x.toml")


def test_a_file_of_the_owner_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(GOOD.replace('name = "own"', 'name = "drift"'))
    (tmp_path / "redan.toml").write_text('[incidents]\nplaybooks = ["own.toml"]\nautomatic = ["drift"]\n')
    settings = load(file=tmp_path / "redan.toml", root=tmp_path, environ={}, flags={}).settings
    assert opened(settings, tmp_path)["drift"].title == "Ours"


def test_an_automatic_playbook_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "redan.toml").write_text('[incidents]\nautomatic = ["model-thef"]\n')
    settings = load(file=tmp_path / "redan.toml", root=tmp_path, environ={}, flags={}).settings
    with pytest.raises(ConfigError, match="model-thef") as caught:
        opened(settings, tmp_path)
    assert "model-theft" in caught.value.hint


def test_a_file_that_is_missing_huge_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_bytes(b"#" * (1 << 20))
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    for name in ("missing.toml", "huge.toml", "odd.toml"):
        with pytest.raises(Unreadable):
            read(tmp_path / name)


def test_every_rule_that_a_built_in_playbook_names_is_in_the_catalogue() -> None:
    from redan.core import catalogue

    rules = {entry.id for kind in ("monitor", "rule") for entry in catalogue.entries(kind)}
    named = {rule for playbook in built_in() for rule in playbook.when.rules}
    assert named <= rules


def test_no_client_is_suspended_by_itself_for_what_others_do_to_it() -> None:
    (abuse,) = (playbook for playbook in built_in() if "RDN-OPE-204" in playbook.when.rules)
    assert all(step.mode == "manual" for step in abuse.steps if step.do in CONTAINING)
