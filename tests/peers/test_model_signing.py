"""OpenSSF's own tool and Redan verify each other's signatures, and refuse the same changes.

The peer runs in an environment of its own: ``REDAN_PEERS`` names the folder that holds it, ``.peers`` by default.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.evidence.signing.authorities import hierarchy

from redan.core.errors import SignatureRefused
from redan.evidence.keys import KeyKind, Signer, generate, save, signer_of
from redan.evidence.signing import sign, verify
from redan.evidence.signing.certificates import load_certificates

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers")) / "model-signing" / "bin"
pytestmark = pytest.mark.skipif(not (PEER / "model_signing").is_file(), reason=f"no model_signing in {PEER}")

# the command line knows SHA-256 over whole files only; the library knows the rest
LIBRARY = """
import json, sys
import model_signing
how = json.loads(sys.argv[1])
hashing = model_signing.hashing.Config()
if how["shard_bytes"] is None:
    hashing.use_file_serialization(hashing_algorithm=how["algorithm"])
else:
    hashing.use_shard_serialization(hashing_algorithm=how["algorithm"], shard_size=how["shard_bytes"])
hashing.set_ignored_paths(paths=["model.sig"])
if how["do"] == "sign":
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=how["key"])
    config.set_hashing_config(hashing).sign(how["model"], how["signature"])
else:
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=how["key"])
    config.set_hashing_config(hashing).verify(how["model"], how["signature"])
"""


def peer(*words: object) -> bool:
    """Run the peer's command line; tell whether it accepted."""
    run = subprocess.run(
        [PEER / "model_signing", *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode in (0, 1), run.stderr
    assert ("succeeded" in run.stdout) == (run.returncode == 0), run.stdout + run.stderr
    return run.returncode == 0


def library(**how: object) -> None:
    """Run the peer's library."""
    words = [PEER / "python", "-c", LIBRARY, json.dumps(how, default=str)]
    subprocess.run(words, capture_output=True, check=True, timeout=120)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name, data in {
        "weights.bin": bytes(range(256)) * 40,
        "a/b": b"1",
        "a.b": b"2",
        "a b/é.txt": b"3",
        ".hidden": b"4",
        "empty": b"",
        ".git/config": b"5",
        ".gitignore": b"6",
        "sub/.gitignore": b"7",
        "ignored/x": b"8",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def pair(folder: Path, kind: KeyKind = "p256") -> tuple[Signer, Path, Path]:
    signer = generate(kind)
    return signer, folder / "k", save(signer, folder / "k")


@pytest.mark.parametrize("kind", ["p256", "p521"])
def test_keys_both_ways(model: Path, tmp_path: Path, kind: KeyKind) -> None:
    signer, private, public = pair(tmp_path, kind)
    signature, ignored = model / "model.sig", model / "ignored"
    ours, _ = sign(model, signer, ignored=["ignored"])
    assert peer("verify", "key", model, "--public_key", public, "--signature", signature)
    assert peer("sign", "key", model, "--private_key", private, "--signature", signature, "--ignore-paths", ignored)
    found = verify(model, keys=[signer.verifier])
    assert found.n_files == 7
    assert set(found.manifest.ignored) == set(ours.ignored)
    assert {r.label: r.digest for r in found.manifest.resources} == {r.label: r.digest for r in ours.resources}
    assert found.unsigned == (".git", ".gitignore", "ignored")


def test_a_single_file_both_ways(model: Path, tmp_path: Path) -> None:
    signer, private, public = pair(tmp_path)
    file, signature = model / "weights.bin", tmp_path / "s"
    ours, _ = sign(file, signer, output=signature)
    assert peer("verify", "key", file, "--public_key", public, "--signature", signature)
    assert peer("sign", "key", file, "--private_key", private, "--signature", signature)
    assert verify(file, signature, keys=[signer.verifier]).manifest.root_digest == ours.root_digest


@pytest.mark.parametrize("folder", [True, False])
def test_certificates_both_ways(model: Path, tmp_path: Path, folder: bool) -> None:
    root, between, leaf = hierarchy(key=ec.generate_private_key(ec.SECP384R1()))
    (trusted, _), (above, _), (own, key) = (
        root.save(tmp_path, "root"),
        between.save(tmp_path, "b"),
        leaf.save(tmp_path, "l"),
    )
    target, signature = model if folder else model / "weights.bin", tmp_path / "s"
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    sign(target, signer_of(leaf.key), output=signature, chain=load_certificates(own) + load_certificates(above))
    assert peer("verify", "certificate", target, "--signature", signature, "--certificate_chain", trusted)
    words = ("--private_key", key, "--signing_certificate", own, "--certificate_chain", above)
    assert peer("sign", "certificate", target, "--signature", signature, *words)
    assert verify(target, signature, authorities=load_certificates(trusted)).signer == "CN=Team"
    other, _ = hierarchy()[0].save(tmp_path, "other")
    assert not peer("verify", "certificate", target, "--signature", signature, "--certificate_chain", other)
    with pytest.raises(SignatureRefused):
        verify(target, signature, authorities=load_certificates(other))


@pytest.mark.parametrize(
    ("algorithm", "theirs", "shard_bytes"),
    [("sha256", "sha256", 1000), ("sha256", "sha256", 10_240), ("blake2b", "blake2", None), ("blake2b", "blake2", 999)],
)
def test_shards_and_blake2b_both_ways(
    model: Path, tmp_path: Path, algorithm: str, theirs: str, shard_bytes: int | None
) -> None:
    signer, private, public = pair(tmp_path)
    signature = model / "model.sig"
    how = {"model": model, "signature": signature, "algorithm": theirs, "shard_bytes": shard_bytes}
    sign(model, signer, algorithm=algorithm, shard_bytes=shard_bytes)
    library(do="verify", key=public, **how)
    library(do="sign", key=private, **how)
    assert verify(model, keys=[signer.verifier]).manifest.algorithm == algorithm
    (model / "weights.bin").write_bytes(b"x" * 10_240)
    with pytest.raises(SignatureRefused):
        verify(model, keys=[signer.verifier])
    with pytest.raises(subprocess.CalledProcessError):
        library(do="verify", key=public, **how)


CHANGES = {
    "none": lambda m: None,
    "flip": lambda m: (m / "a" / "b").write_bytes(b"x"),
    "add": lambda m: (m / "sub" / "new").write_bytes(b""),
    "remove": lambda m: (m / "empty").unlink(),
    "rename": lambda m: (m / "a.b").rename(m / "a.c"),
    "git": lambda m: (m / ".git" / "more").write_bytes(b"x"),
    "deeper git": lambda m: (m / "sub" / ".git").write_bytes(b"x"),
    "link": lambda m: (m / "link").symlink_to("a.b"),
    "pipe": lambda m: os.mkfifo(m / "pipe"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_both_judge_every_change_alike(model: Path, tmp_path: Path, change: str) -> None:
    signer, _, public = pair(tmp_path)
    sign(model, signer)
    CHANGES[change](model)
    accepted = peer("verify", "key", model, "--public_key", public, "--signature", model / "model.sig")
    try:
        verify(model, keys=[signer.verifier])
        own = True
    except SignatureRefused:
        own = False
    assert own == accepted == (change in ("none", "git"))


FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "a.b", "é", "x y"]), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=30),
    min_size=1,
    max_size=5,
).filter(lambda files: not any(other.startswith(name + "/") for name in files for other in files))


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES)
def test_any_model_both_ways(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    signer, private, public = pair(folder)
    for name, data in files.items():
        path = folder / "m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    model, signature = folder / "m", folder / "s"
    ours, _ = sign(model, signer, output=signature)
    assert peer("verify", "key", model, "--public_key", public, "--signature", signature)
    assert peer("sign", "key", model, "--private_key", private, "--signature", signature)
    theirs = verify(model, signature, keys=[signer.verifier]).manifest
    assert {r.label: r.digest for r in theirs.resources} == {r.label: r.digest for r in ours.resources}
