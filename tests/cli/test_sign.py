"""`redan key` and `redan sign` as a user meets them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.unit.evidence.signing.authorities import hierarchy

from redan.evidence.keys import load_signer, load_verifier
from redan.evidence.signing import verify
from redan.evidence.signing.certificates import load_certificates


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "model"
    root.mkdir()
    (root / "weights.bin").write_bytes(b"w" * 1000)
    (root / "README.md").write_text("words")
    return root


@pytest.fixture
def key(cli: Cli, tmp_path: Path) -> Path:
    assert cli("key", "new", "signing.key").code == 0
    return tmp_path / "signing.key"


def n_verified(model: Path, key: Path, signature: Path | None = None) -> int:
    return verify(model, signature, keys=[load_verifier(key.with_name(key.name + ".pub"))]).n_files


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "ed25519"])
def test_a_new_key_tells_its_name_on_stdout_and_nothing_secret(cli: Cli, tmp_path: Path, kind: str) -> None:
    ended = cli("key", "new", "k", "--kind", kind)
    assert (ended.code, ended.out) == (0, load_verifier(tmp_path / "k.pub").key_id + "\n")
    assert "wrote k (keep it secret) and k.pub" in ended.err
    again = cli("key", "new", "k")
    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err


def test_a_password_comes_from_the_environment_and_is_needed_again(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "open sesame")
    assert cli("key", "new", "k", "--password-env", "WORD").code == 0
    assert load_signer(tmp_path / "k", password=b"open sesame")
    assert cli("sign", model, "--key", "k").code == 3
    assert cli("sign", model, "--key", "k", "--password-env", "WORD").code == 0
    unset = cli("sign", model, "--key", "k", "--password-env", "NOTHING")
    assert unset.code == 2
    assert "'NOTHING' holds no password" in unset.err


def test_signing_writes_words_to_stderr_and_the_signature_to_its_place(cli: Cli, model: Path, key: Path) -> None:
    ended = cli("sign", model, "--key", key)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("signed 2 files with 1,005 bytes (2 read)\nmodel ")
    assert n_verified(model, key) == 2
    assert cli("sign", model, "--key", key, "-o", "other.sig").code == 0
    assert (Path("other.sig")).is_file()


def test_signing_again_with_the_cache_reads_only_what_changed(
    cli: Cli, model: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 5_000_000_000)
    assert "(2 read)" in cli("sign", model, "--key", key, "--cache").err
    (model / "README.md").write_text("other")
    assert "(1 read, 1 as the cache says)" in cli("sign", model, "--key", key, "--cache").err
    assert n_verified(model, key) == 2
    (cache,) = Path(".redan/digests").iterdir()
    cache.write_bytes(cache.read_bytes().replace(b"weights", b"weighty"))
    forged = cli("sign", model, "--key", key, "--cache")
    assert forged.code == 1
    assert "was changed, or written by somebody else" in forged.err


def test_a_cache_inside_the_model_is_refused(cli: Cli, model: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    ended = cli("sign", ".", "--key", key, "--cache")
    assert ended.code == 2
    assert "inside the model" in ended.err
    assert cli("sign", ".", "--key", key, "--cache", "--ignore", ".redan").code == 0
    assert n_verified(model, key) == 2


def test_a_private_key_inside_the_model_is_never_signed_with_it(cli: Cli, model: Path) -> None:
    assert cli("key", "new", model / "k").code == 0
    ended = cli("sign", model, "--key", model / "k")
    assert ended.code == 2
    assert "would be published with it" in ended.err


def test_digests_travel_to_the_machine_with_the_key(cli: Cli, model: Path, key: Path) -> None:
    ended = cli("sign", model, "--digests-only")
    assert ended.code == 0
    assert json.loads(ended.out)["predicateType"] == "https://model_signing/signature/v1.0"
    assert cli("sign", model, "--digests-only", "-o", "d.json").code == 0
    assert json.loads(Path("d.json").read_text()) == json.loads(ended.out)
    away = model.rename(model.with_name("away"))
    signed = cli("sign", "model", "--digests", "d.json", "--key", key, "-o", "m.sig")
    assert "signed 2 files by their digests; nothing was read" in signed.err
    assert n_verified(away, key, Path("m.sig")) == 2


def test_a_certificate_signs_by_name(cli: Cli, model: Path, tmp_path: Path) -> None:
    root, between, leaf = hierarchy()
    certificate, key = leaf.save(tmp_path, "leaf")
    above, _ = between.save(tmp_path, "between")
    trusted, _ = root.save(tmp_path, "root")
    assert cli("sign", model, "--key", key, "--certificate", certificate, "--chain", above).code == 0
    assert verify(model, authorities=load_certificates(trusted), identity="ml@example.org").signer == "CN=Team"
    assert cli("sign", model, "--key", key, "--chain", above).code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["model"], 2),
        (["model", "--key", "signing.key", "--digests-only"], 2),
        (["model", "--key", "signing.key", "--digests", "d", "--cache"], 2),
        (["model", "--key", "signing.key", "--ignore", "../x"], 2),
        (["model", "--key", "signing.key", "--hash", "md5"], 2),
        (["model", "--key", "signing.key", "-o", "no/such/folder/x.sig"], 2),
        (["absent", "--key", "signing.key"], 3),
        (["model", "--key", "absent.key"], 3),
        (["model", "--key", "signing.key.pub"], 3),
    ],
)
def test_what_cannot_be_done_is_told_with_its_exit_code(
    cli: Cli, model: Path, key: Path, words: list[str], code: int
) -> None:
    ended = cli("sign", *words)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("RDN-E")
    assert not (model / "model.sig").exists()
