"""From a scan to a sealed model and a decision, and every way in which the road ends earlier."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from tests.cli.conftest import Cli
from tests.unit.evidence.signing.authorities import hierarchy

import redan
from redan.evidence.keys import generate, load_signer, save
from redan.evidence.log import open_log
from redan.evidence.log.statements import entry_of
from redan.evidence.statements import beside, parse, read
from redan.runner.verify import verify

POLICY = """
[admission]
keys = ["ml.key.pub"]
[[admission.require]]
statement = "scan"
[[admission.require]]
statement = "scan"
claim = "unexamined_files"
at_most = 0
"""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Two key pairs and a policy that trusts the first."""
    for name in ("ml.key", "other.key"):
        save(generate(), tmp_path / name)
    (tmp_path / "redan.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def scanned(cli: Cli, model: Path) -> Path:
    cli("scan", model, "-o", "scan.json")
    return model.parent / "scan.json"


def sealed(cli: Cli, model: Path, *words: object) -> None:
    ended = cli("seal", scanned(cli, model), "--model", model, "--key", "ml.key", *words)
    assert ended.code == 0, ended.err


def test_a_scanned_and_sealed_model_is_admitted(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    ended = cli("verify", benign)
    assert ended.code == 0, ended.out
    assert ended.out.startswith("ADMITTED  benign.pkl")
    assert ended.err == ""
    document = json.loads(cli("verify", benign, "--format", "json").out)
    assert (document["schema"], document["admitted"], document["failures"]) == ("redan/admission/1", True, [])


def test_a_model_changed_after_sealing_is_refused(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    benign.write_bytes(benign.read_bytes() + b"\n")
    ended = cli("verify", benign)
    assert ended.code == 1
    assert "about another model" in ended.out
    assert "a statement by ml.key.pub " in " ".join(ended.out.split())
    refused = cli("seal", "scan.json", "--model", benign, "--key", "ml.key")
    assert refused.code == 1
    assert "RDN-E510: the report is about another model" in refused.err
    assert refused.out == ""


def test_a_hostile_model_can_be_sealed_and_is_refused(cli: Cli, keys: Path, hostile: Path) -> None:
    ended = cli("seal", scanned(cli, hostile), "-m", hostile, "-k", "ml.key")
    assert ended.code == 0
    assert "gate fail" in ended.out
    ended = cli("verify", hostile)
    assert ended.code == 1
    assert "findings that nobody set aside: 1 critical" in ended.out


def test_a_folder_is_sealed_as_one_and_any_change_is_noticed(cli: Cli, keys: Path) -> None:
    model = keys / "model"
    model.mkdir()
    for name in ("a.pkl", "b.pkl"):
        (model / name).write_bytes(pickle.dumps([name]))
    sealed(cli, model)
    assert (keys / "model.intoto.jsonl").is_file()
    assert cli("verify", model).code == 0
    (model / "c.pkl").write_bytes(pickle.dumps([1]))
    assert cli("verify", model).code == 1
    (model / "c.pkl").unlink()
    assert cli("verify", model).code == 0
    (model / "a.pkl").rename(model / "c.pkl")
    assert cli("verify", model).code == 1


def test_the_models_own_signature_is_checked_where_there_is_one(cli: Cli, keys: Path) -> None:
    model = keys / "model"
    model.mkdir()
    (model / "a.pkl").write_bytes(pickle.dumps([1]))
    sealed(cli, model)
    assert cli("sign", model, "--key", "ml.key").code == 0
    ended = cli("verify", model)
    assert (ended.code, "signature of the model: signed by key" in ended.out) == (0, True)
    assert cli("sign", model, "--key", "other.key").code == 0
    ended = cli("verify", model)
    assert ended.code == 1
    assert "signed with another key" in " ".join(ended.out.split())
    (model / "model.sig").write_text("{}", encoding="utf-8")
    assert cli("verify", model).code == 1


def test_without_a_policy_keys_verify_and_nothing_is_undecided(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    (keys / "redan.toml").unlink()
    ended = cli("verify", benign, "--key", "ml.key.pub")
    assert (ended.code, ended.out.split()[0]) == (0, "VERIFIED")
    assert cli("verify", benign, "--key", "other.key.pub").code == 1
    assert cli("verify", benign).code == 3
    beside(benign).unlink()
    assert cli("verify", benign, "--key", "ml.key.pub").code == 3


def test_a_valid_signature_alone_verifies_and_a_changed_file_is_told_by_its_size(
    cli: Cli, keys: Path, benign: Path
) -> None:
    (keys / "redan.toml").unlink()
    assert cli("sign", benign, "--key", "ml.key").code == 0
    ended = cli("verify", benign, "--key", "ml.key.pub")
    assert (ended.code, ended.out.split()[0]) == (0, "VERIFIED")
    with benign.open("ab") as file:
        file.write(b"x")
    ended = cli("verify", benign, "--key", "ml.key.pub")
    assert ended.code == 1
    assert f"it ({benign.stat().st_size} bytes) was changed" in " ".join(ended.out.split())


def test_sealing_into_a_log_records_each_statement_and_the_record_can_be_proved(
    cli: Cli, keys: Path, benign: Path
) -> None:
    save(generate("ed25519"), keys / "log.key")
    assert cli("log", "init", keys / "log", "--origin", "example.com/models", "--key", "log.key").code == 0
    sealed(cli, benign, "--approve", "Ada: read it", "--log", keys / "log", "--log-key", "log.key")
    ours = [entry_of(envelope) for envelope in read(beside(benign)).envelopes]
    with open_log(keys / "log", load_signer(keys / "log.key")) as log:
        assert [log.entry(index) for index in range(log.size)] == ours
    assert len(ours) == 2
    ended = cli("seal", "--model", benign, "--key", "ml.key", "--approve", "Ada: again", "--log", keys / "log")
    assert (ended.code, len(read(beside(benign)).envelopes)) == (2, 2)


def test_a_certificate_vouches_by_flag_and_by_policy(cli: Cli, keys: Path, benign: Path) -> None:
    root, between, leaf = hierarchy()
    certificate, key = leaf.save(keys, "leaf")
    above, _ = between.save(keys, "between")
    trusted, _ = root.save(keys, "root")
    (keys / "redan.toml").unlink()
    assert cli("sign", benign, "--key", key, "--certificate", certificate, "--chain", above).code == 0
    assert cli("verify", benign).code == 1
    ended = cli("verify", benign, "--authority", trusted, "--identity", "ml@example.org")
    assert (ended.code, "signed by CN=Team" in ended.out) == (0, True)
    assert cli("verify", benign, "--authority", trusted, "--identity", "other@example.org").code == 1
    settings = f'[admission]\nsignature = "required"\nauthorities = ["{trusted.name}"]\nidentity = "{{}}"\n'
    for who, code in (("ml@example.org", 0), ("other@example.org", 1)):
        (keys / "redan.toml").write_text(settings.format(who), encoding="utf-8")
        assert cli("verify", benign).code == code


def test_a_cache_saves_reading_and_says_so(cli: Cli, keys: Path, benign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(keys / "state"))
    sealed(cli, benign)
    os.utime(benign, (1_700_000_000, 1_700_000_000))
    sleep(2.1)  # what was touched within two seconds of being read is never remembered
    for _ in range(2):
        ended = cli("verify", benign, "--cache", keys / "digests")
        assert ended.code == 0
        assert "was not read again" in " ".join(ended.out.split())
    with benign.open("ab") as file:
        file.write(b"x")
    assert cli("verify", benign, "--cache", keys / "digests").code == 1


def test_a_policy_elsewhere_finds_its_keys_beside_it(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    folder = keys / "policy"
    folder.mkdir()
    for name in ("redan.toml", "ml.key.pub"):
        (keys / name).rename(folder / name)
    assert cli("verify", benign, "--policy", folder / "redan.toml").code == 0
    (folder / "ml.key.pub").unlink()
    assert cli("verify", benign, "--policy", folder / "redan.toml").code == 3


def test_age_is_judged_at_the_time_asked_for(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    late = cli("verify", benign, "--at", "2100-01-01")
    assert late.code == 1
    assert "at most 90 days old" in late.out
    early = cli("verify", benign, "--at", "2020-01-01T00:00:00+02:00")
    assert early.code == 1
    assert cli("verify", benign, "--at", "tomorrow").code == 2


def test_approval_and_revocation_are_statements_too(cli: Cli, keys: Path, benign: Path) -> None:
    more = '[[admission.require]]\nstatement = "approval"\nnot_sealer = true\nsigned_by = ["other.key.pub"]\n'
    (keys / "redan.toml").write_text(POLICY + more, encoding="utf-8")
    sealed(cli, benign)
    assert cli("verify", benign).code == 1
    words = ("seal", "-m", benign, "-k", "other.key")
    assert cli(*words, "--approve", "Ada").code == 2
    assert cli(*words, "--approve", "Ada: read the report").code == 0
    assert cli("verify", benign).code == 0
    assert cli(*words, "--revoke", "poisoned data", "-o", "revoked.jsonl").code == 0
    both = ("-s", beside(benign), "-s", "revoked.jsonl")
    ended = cli("verify", benign, *both)
    assert ended.code == 1
    assert "poisoned data" in ended.out
    assert cli(*words).code == 2
    assert cli("verify", benign, "-s", "absent.jsonl").code == 3


def test_a_bill_of_materials_is_sealed_with_the_model_it_lists(cli: Cli, keys: Path, benign: Path) -> None:
    sealed(cli, benign)
    digest = next(iter(parse(read(beside(benign)).envelopes[0].payload).subjects)).digest["sha256"]
    part = {"type": "machine-learning-model", "name": "m", "hashes": [{"alg": "SHA-256", "content": digest}]}
    bom = {"bomFormat": "CycloneDX", "metadata": {"timestamp": "2026-01-01T00:00:00Z"}, "components": [part]}
    path = keys / "bom.json"
    words = ("seal", "-m", benign, "-k", "ml.key", "--bom", path)
    path.write_text(json.dumps(bom), encoding="utf-8")
    assert "sealed  bom" in cli(*words).out
    part["hashes"] = [{"alg": "SHA-256", "content": "00" * 32}]
    path.write_text(json.dumps(bom), encoding="utf-8")
    assert cli(*words).code == 1
    for text in ("[]", "{}", '{"bomFormat": "CycloneDX"}', '{"bomFormat": 1, "bomFormat": "CycloneDX"}', "not json"):
        path.write_text(text, encoding="utf-8")
        assert cli(*words).code == 3
    assert len(read(beside(benign)).envelopes) == 2


def test_nothing_is_written_when_one_part_cannot_be_sealed(cli: Cli, keys: Path, benign: Path) -> None:
    report = scanned(cli, benign)
    assert cli("seal", report, "-m", benign, "-k", "ml.key", "--bom", "absent.json").code == 3
    assert cli("seal", report, "-m", benign, "-k", "ml.key", "--approve", "nobody").code == 2
    assert not beside(benign).exists()
    assert cli("seal", report, "-m", keys, "-k", "ml.key", "-o", keys / "inside.jsonl").code in (1, 2, 3)
    assert not (keys / "inside.jsonl").exists()


def test_a_large_file_must_have_been_digested(cli: Cli, keys: Path) -> None:
    model = keys / "large.npy"
    head = b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (20971520,), }"
    model.write_bytes(head.ljust(127) + b"\n" + bytes(20 << 20))
    cli("scan", model, "-o", "scan.json")
    ended = cli("seal", "scan.json", "-m", model, "-k", "ml.key")
    assert ended.code == 1
    assert "--digest-all" in ended.err
    cli("scan", model, "--digest-all", "-o", "scan.json")
    assert cli("seal", "scan.json", "-m", model, "-k", "ml.key").code == 0


def test_output_is_readable_at_forty_columns(
    cli: Cli, keys: Path, benign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = cli("verify", benign).out.splitlines()
    assert max(len(line) for line in lines if "sha256" not in line and not line.startswith("REFUSED")) <= 40


ROBUST = """
[admission]
keys = ["ml.key.pub"]
[[admission.require]]
statement = "scan"
[[admission.require]]
statement = "robustness"
claim = "robust_accuracy"
rule = "RDN-EVA-001"
params = {{ norm = "linf", eps = {eps} }}
at_least = {least}
"""


def test_what_an_attack_measured_decides_whether_the_model_is_admitted(
    cli: Cli, keys: Path, net: Path, data: Callable[..., Path]
) -> None:
    namespace: dict[str, Any] = {}
    exec(net.read_text(encoding="utf-8"), namespace)
    weights = keys / "three.pt"
    torch.save(namespace["three"]().state_dict(), weights)
    words = ("--weights", weights, "--data", data(3), "--bounds", 0, 1, "--norm", "linf", "--eps", 0.01)
    ended = cli("attack", f"{net}:three", *words, "--threat", "evasion", "--format", "json", "-o", "attack.json")
    assert ended.code == 0, ended.err
    sealed(cli, weights)
    assert cli("seal", "attack.json", "-m", weights, "-k", "ml.key").code == 0
    for eps, least, code in ((0.01, 0.8, 0), (0.01, 0.95, 1), (0.1, 0.8, 1)):
        (keys / "redan.toml").write_text(ROBUST.format(eps=eps, least=least), encoding="utf-8")
        ended = cli("verify", weights)
        assert ended.code == code, ended.out
    assert "no such number; there is robust_accuracy (RDN-EVA-001, eps=0.01" in " ".join(ended.out.split())


def test_the_python_interface_does_the_same(
    keys: Path, benign: Path, monkeypatch: pytest.MonkeyPatch, key_of: Callable[[str], Path]
) -> None:
    monkeypatch.chdir(keys)
    report = redan.scan(benign)
    done = redan.seal(benign, report, key=key_of("ml.key"), approve="Ada: read it")
    assert done.kinds == ("scan", "approval")
    found = redan.verify(benign)
    assert found.admitted
    assert redan.verify is verify


@pytest.fixture
def key_of(keys: Path) -> Callable[[str], Path]:
    return lambda name: keys / name
