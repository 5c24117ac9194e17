"""`redan registry`: from a trained model to a live version and back, as its owner types it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

from redan.evidence.keys import generate, save
from redan.subjects.sandbox import confinement

SANDBOX = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")
SETTINGS = """
[model]
target = "out/model.onnx"
[attack]
threats = ["supply_chain"]
[admission]
keys = ["seal.key.pub"]
[[admission.require]]
statement = "scan"
[registry]
keys = ["file:registry.kek"]
signing_key = "registry.key"
keep_versions = 2
[registry.update]
name = "fraud"
retrain = "{python} train.py"
reads = ["train.py"]
writes = ["out"]
seal_key = "seal.key"
quick = true
every = "7d"
"""
TRAIN = """
import os
from pathlib import Path
from onnx import TensorProto, helper, save

node = helper.make_node("Relu", ["x"], ["y"], name=os.environ.get("REDAN_SEED", "0"))
shape = [None, 3]
graph = helper.make_graph(
    [node], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(Path("out") / "model.onnx"))
"""


@pytest.fixture
def project(tmp_path: Path, cli: Cli) -> Path:
    """A project with keys, a trained model and an empty registry."""
    import sys

    for name in ("seal.key", "registry.key"):
        save(generate("ed25519"), tmp_path / name)
    (tmp_path / "redan.toml").write_text(SETTINGS.replace("{python}", sys.executable), encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    (tmp_path / "out").mkdir()
    exec(compile(TRAIN, "train.py", "exec"), {})  # the cli fixture made this folder the current one
    assert cli("registry", "init").code == 0
    return tmp_path


def seal(cli: Cli) -> None:
    cli("scan", "out/model.onnx", "-o", "scan.json")
    assert cli("seal", "scan.json", "--model", "out/model.onnx", "--key", "seal.key").code == 0


def test_who_has_no_registry_is_told_how_to_make_one(cli: Cli) -> None:
    ended = cli("registry", "list")
    assert ended.code != 0
    assert "try: redan registry init" in ended.err


def test_a_version_is_promoted_only_with_its_proof(project: Path, cli: Cli) -> None:
    pushed = cli("registry", "push", "out/model.onnx", "fraud@1", "--with-config")
    assert (pushed.code, pushed.out) == (0, "fraud@1\n")
    refused = cli("registry", "promote", "fraud@1")
    assert refused.code == 1
    assert refused.err.startswith("RDN-E530: fraud@1 is not admitted: scan: expected a statement by"), refused.err
    seal(cli)
    attached = cli("registry", "attach", "out/model.onnx.intoto.jsonl")
    assert "1 of 1 statements are new" in attached.err
    assert cli("registry", "promote", "fraud@1", "--why", "first").code == 0
    listed = cli("registry", "list").out.splitlines()
    assert listed[0].split()[:3] == ["model", "version", "state"]
    assert listed[1].split()[:3] == ["fraud", "1", "live"]
    pulled = cli("registry", "pull", "fraud", "got")
    assert pulled.code == 0
    assert (project / "got" / "model.onnx").read_bytes() == (project / "out" / "model.onnx").read_bytes()
    assert (project / "got" / "redan.toml").exists()


def test_a_revoked_model_is_not_promoted_again(project: Path, cli: Cli) -> None:
    seal(cli)
    cli("registry", "push", "out/model.onnx", "fraud@1")
    revoked = cli(
        "seal", "--revoke", "poisoned rows", "--model", "out/model.onnx", "--key", "seal.key", "-o", "r.jsonl"
    )
    assert revoked.code == 0
    cli("registry", "attach", "r.jsonl")
    refused = cli("registry", "promote", "fraud@1")
    assert refused.code == 1
    assert "poisoned rows" in refused.err


def test_backup_destruction_restore(project: Path, cli: Cli) -> None:
    seal(cli)
    cli("registry", "push", "out/model.onnx", "fraud@1")
    cli("registry", "promote", "fraud@1")
    digest = cli("registry", "backup", "registry.backup").out.strip()
    shutil.rmtree(project / ".redan" / "registry")
    assert cli("registry", "list").code != 0
    restored = cli("registry", "restore", "registry.backup", "--sha256", digest)
    assert (restored.code, restored.out) == (0, "fraud@1\n")
    assert cli("registry", "verify").code == 0


def test_what_a_backup_is_too_old_for_is_named(project: Path, cli: Cli) -> None:
    cli("registry", "push", "out/model.onnx", "fraud@1")
    cli("registry", "backup", "registry.backup")
    cli("seal", "--revoke", "poisoned", "--model", "out/model.onnx", "--key", "seal.key", "-o", "r.jsonl")
    assert cli("registry", "attach", "r.jsonl", "--why", "poisoned").code == 0
    shutil.rmtree(project / ".redan" / "registry")
    restored = cli("registry", "restore", "registry.backup", "--why", "lost")
    assert restored.code == 0
    assert "known to the audit log and not in it: 1;" in restored.err
    recorded = cli("audit", "query", "--format", "json").out
    assert all(f'"registry.{what}"' in recorded for what in ("push", "backup", "attach", "restore"))
    verified = cli("registry", "verify")
    assert verified.code == 1
    assert verified.out.startswith("statement ")
    assert "registry.attach" in verified.out


@SANDBOX
def test_the_pipeline_retrains_checks_seals_pushes_and_promotes(project: Path, cli: Cli) -> None:
    first = cli("registry", "update", "--why", "first")
    assert (first.code, first.out) == (0, "promoted\n"), first.err
    assert [line.partition(":")[0] for line in first.err.splitlines() if ":" in line][-6:] == [
        "retrain", "check", "seal", "push", "canary", "promote",
    ]  # fmt: skip
    assert cli("registry", "update", "--due").err.splitlines()[-1] == "nothing is due"
    second = cli("registry", "update", "--why", "again")
    assert second.code == 0
    states = {line.split()[1]: line.split()[2] for line in cli("registry", "list").out.splitlines()[1:]}
    assert states == {"1": "standby", "2": "live"}
    assert cli("registry", "rollback", "fraud", "--why", "false alarms").out == "fraud@1\n"


@SANDBOX
def test_a_retraining_that_fails_changes_nothing(project: Path, cli: Cli) -> None:
    (project / "train.py").write_text("raise SystemExit(7)", encoding="utf-8")
    failed = cli("registry", "update")
    assert failed.code == 1
    assert "retrain: the command ended with 7" in failed.err
    assert cli("registry", "list").out == ""
