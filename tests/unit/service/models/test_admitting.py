"""Admission refuses what is missing, forged, stale, for other bytes or below policy, and says how to fix it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests import served as made
from tests.served import STRANGER, seal_scan, settings_for

from redan.core.settings import Admission, Requirement, Settings
from redan.evidence.keys import generate, save
from redan.evidence.signing import sign
from redan.service.models.admitting import About, decide, why_not
from redan.service.models.loading import extras_of, load
from redan.service.models.source import sources
from redan.service.models.versions import Judge, Version, bring_in, judge_again


def brought_in(settings: Settings, folder: Path) -> Version:
    """Bring the first version of a configuration in."""
    version = Version(source=sources(settings, folder)[0])
    bring_in(version, Judge.of(settings, folder))
    return version


def bundle_of(folder: Path) -> Path:
    return folder / "sklearn-1.joblib.intoto.jsonl"


def test_a_model_with_its_statements_is_admitted(tmp_path: Path) -> None:
    version = brought_in(settings_for(tmp_path), tmp_path)
    assert version.why == ""
    assert version.served is not None
    assert version.served.decision is not None
    assert version.served.decision.admitted
    assert version.served.label == "sklearn@1"


def test_a_model_without_statements_is_refused_and_told_how_to_get_them(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    bundle_of(tmp_path).unlink()
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert "scan: expected a statement by ci.key.pub" in version.why
    assert "found none" in version.why
    assert "redan seal REPORT --model MODEL --key KEY" in version.why


def test_a_statement_by_a_stranger_does_not_count(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    bundle_of(tmp_path).unlink()
    seal_scan(tmp_path / "sklearn-1.joblib", key=STRANGER)
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert "scan: expected a statement by ci.key.pub" in version.why
    assert "key" in version.why.partition("found none")[2]


def test_a_forged_statement_does_not_count(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    data = bundle_of(tmp_path).read_bytes()
    at = data.index(b'"sig"') + 12
    bundle_of(tmp_path).write_bytes(data[:at] + (b"B" if data[at : at + 1] == b"A" else b"A") + data[at + 1 :])
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert "it was forged, or changed after signing" in version.why


def test_statements_of_another_digest_do_not_count(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "sklearn-1.joblib").write_bytes(made.model_bytes("sklearn", seed=1))
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert "about another" in version.why or "digest" in version.why


def test_stale_statements_do_not_count(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    source = sources(settings, tmp_path)[0]
    about = About(held=source.hold())
    policy = Judge.of(settings, tmp_path).policy
    assert policy is not None
    later = datetime.now(UTC) + timedelta(days=91)
    why = why_not(decide(about, source, source.bundles(about.held), policy, at=later))
    assert "expected at most 90d old" in why or "expected at most" in why
    assert "measure again and seal the new report" in why


def test_what_is_below_the_policy_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    asked = Requirement(statement="robustness", claim="robust_accuracy", at_least=0.4)
    version = brought_in(replace(settings, admission=replace(settings.admission, require=(asked,))), tmp_path)
    assert version.served is None
    assert "robust_accuracy" in version.why


def test_without_a_policy_nothing_is_admitted(tmp_path: Path) -> None:
    version = brought_in(replace(settings_for(tmp_path), admission=Admission()), tmp_path)
    assert version.served is None
    assert "[[admission.require]]" in version.why


def test_a_revocation_ends_admission_of_what_is_loaded(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    version = brought_in(settings, tmp_path)
    seal_scan(tmp_path / "sklearn-1.joblib", revoke="its labels were wrong")
    judge_again(version, Judge.of(settings, tmp_path))
    assert "its labels were wrong" in version.why
    assert version.served is not None


def test_a_key_that_cannot_be_read_refuses_with_its_name(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "ci.key.pub").unlink()
    with pytest.raises(Exception, match=r"ci\.key\.pub"):
        Judge.of(settings, tmp_path)


class _Reduced:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1+1",)


@pytest.mark.parametrize("mode", ["required", "open"])
def test_a_file_that_would_need_trust_is_never_served(tmp_path: Path, mode: str) -> None:
    settings = settings_for(tmp_path, serve={"admission": mode})
    path = tmp_path / "sklearn-1.joblib"
    path.write_bytes(pickle.dumps(_Reduced()))
    bundle_of(tmp_path).unlink()
    seal_scan(path)
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert version.why


def test_a_laboratory_serves_what_nobody_vouched_for(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, serve={"admission": "open"})
    bundle_of(tmp_path).unlink()
    version = brought_in(settings, tmp_path)
    assert version.why == ""
    assert version.served is not None
    assert version.served.decision is None


def test_a_file_swapped_after_it_was_judged_is_not_what_is_loaded(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    source = sources(settings, tmp_path)[0]
    held = source.hold()
    policy = Judge.of(settings, tmp_path).policy
    assert policy is not None
    (tmp_path / "sklearn-1.joblib").write_bytes(made.model_bytes("sklearn", seed=1))
    about = About(held=held)
    decision = decide(about, source, source.bundles(held), policy, at=datetime.now(UTC))
    assert decision.admitted
    served = load(source.settings, held, extras_of(source.settings, tmp_path), decision)
    x, _ = made.rows()
    assert np.array_equal(served.answer(x).scores, made.pipeline(0).predict_proba(x))
    assert not np.allclose(served.answer(x).scores, made.pipeline(1).predict_proba(x), atol=1e-4)


def test_a_swapped_file_has_another_digest_when_it_is_read_later(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    version = brought_in(settings, tmp_path)
    assert version.served is not None
    digest = version.served.digest
    (tmp_path / "sklearn-1.joblib").write_bytes(made.model_bytes("sklearn", seed=1))
    bring_in(version, Judge.of(settings, tmp_path))
    assert version.why == ""
    assert version.served.digest == digest
    assert "scan: expected" in version.newer


def signed(folder: Path) -> Settings:
    """Sign the model itself, and require that."""
    settings = settings_for(folder)
    key = generate("p256")
    save(key, folder / "model.key")
    sign(folder / "sklearn-1.joblib", key)
    keys = ("ci.key.pub", "model.key.pub")
    return replace(settings, admission=replace(settings.admission, signature="required", keys=keys))


def test_the_models_own_signature_is_held_against_the_bytes_in_memory(tmp_path: Path) -> None:
    settings = signed(tmp_path)
    version = brought_in(settings, tmp_path)
    assert version.why == ""
    assert version.served is not None
    assert version.served.decision is not None
    assert any("signature of the model" in line for line in version.served.decision.met)
    judge_again(version, Judge.of(settings, tmp_path))
    assert version.why == ""


def test_a_signature_of_other_bytes_refuses(tmp_path: Path) -> None:
    settings = signed(tmp_path)
    other = made.served(tmp_path, seed=1)
    assert other.target == "sklearn-1.joblib"
    version = brought_in(settings, tmp_path)
    assert version.served is None
    assert "signature of the model" in version.why


def test_a_key_identifier_that_nobody_has_refuses_every_version(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    save(STRANGER, tmp_path / "stranger.key")
    strange = replace(settings.admission, keys=("stranger.key.pub",))
    version = brought_in(replace(settings, admission=strange), tmp_path)
    assert version.served is None
    assert "stranger.key.pub" in version.why
