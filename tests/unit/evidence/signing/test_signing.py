"""Sign and verify: what was signed is accepted, and everything else is refused in words."""

from __future__ import annotations

import json
import os
import tracemalloc
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.keys import Signer, generate
from redan.evidence.signing import Verified, manifest_of, measure, seal, sign, signature_path, verify
from redan.evidence.signing.bundle import LARGEST_BUNDLE_BYTES, MEDIA_TYPE, from_json, load
from redan.kernels.digests.cache import DigestCache


@pytest.fixture(scope="module")
def signer() -> Signer:
    return generate()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "weights.bin").write_bytes(bytes(range(256)) * 20)
    (root / "sub" / "config.json").write_text("{}")
    (root / "README.md").write_text("words")
    return root


def refusal(model: Path, signer: Signer, **how: Any) -> str:
    with pytest.raises(SignatureRefused) as told:
        verify(model, keys=[signer.verifier], **how)
    return told.value.message


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b"])
@pytest.mark.parametrize("shard_bytes", [None, 1000, 5120])
def test_what_was_signed_is_accepted(model: Path, signer: Signer, algorithm: str, shard_bytes: int | None) -> None:
    manifest, found = sign(model, signer, algorithm=algorithm, shard_bytes=shard_bytes)
    assert verify(model, keys=[signer.verifier]) == Verified(
        signer=f"key {signer.key_id[:16]}…",
        key_id=signer.key_id,
        manifest=manifest,
        n_files=3,
        n_remembered=0,
        n_bytes=5127,
        unsigned=(),
    )
    assert sum(d.size_bytes for d in found) == 5127
    assert manifest_of(manifest.statement()) == manifest


def test_every_difference_is_named_in_a_sentence(model: Path, signer: Signer) -> None:
    manifest, _ = sign(model, signer)
    digest = {r.name: r.digest for r in manifest.resources}
    (model / "weights.bin").write_bytes(b"other")
    (model / "sub" / "config.json").unlink()
    (model / "extra.py").write_text("import os")
    message = refusal(model, signer)
    assert message.splitlines() == [
        "'model' is not what was signed:",
        "  'extra.py' (9 bytes) was added and is not signed",
        f"  'sub/config.json' is missing; a file with sha256 {digest['sub/config.json'][:12]}… was signed",
        f"  'weights.bin' (5 bytes) was changed: sha256 d9298a10d1b0…, but {digest['weights.bin'][:12]}… was signed",
    ]


def test_a_renamed_file_is_recognised(model: Path, signer: Signer) -> None:
    sign(model, signer)
    (model / "README.md").rename(model / "sub" / "README.txt")
    assert "'README.md' was renamed to 'sub/README.txt'; its content is as signed" in refusal(model, signer)


def test_links_and_pipes_are_refused_even_in_the_place_of_signed_files(model: Path, signer: Signer) -> None:
    sign(model, signer)
    (model / "weights.bin").rename(model.parent / "weights.bin")
    (model / "weights.bin").symlink_to("../weights.bin")
    os.mkfifo(model / "pipe")
    message = refusal(model, signer)
    assert "'weights.bin' is a symbolic link" in message
    assert "'pipe' is a pipe, socket or device" in message
    assert "missing" not in message
    with pytest.raises(Unreadable, match=r"regular file|symbolic link"):
        measure(model)


def test_many_differences_are_counted_and_not_poured_out(model: Path, signer: Signer) -> None:
    sign(model, signer)
    for n in range(500):
        (model / f"{n}.txt").write_text(str(n))
    message = refusal(model, signer)
    assert len(message.splitlines()) == 22
    assert message.endswith("and 480 more")


def test_names_cannot_write_to_the_terminal(model: Path, signer: Signer) -> None:
    sign(model, signer)
    (model / "\x1b[2Jgood\n").write_text("x")
    assert "\x1b" not in refusal(model, signer)
    assert r"\x1b[2Jgood\n" in refusal(model, signer)


def test_shards_say_where_a_file_was_changed_cut_or_lengthened(model: Path, signer: Signer) -> None:
    sign(model, signer, shard_bytes=1000)
    path, data = model / "weights.bin", (model / "weights.bin").read_bytes()
    path.write_bytes(data[:2500] + b"!" + data[2501:])
    assert "'weights.bin' (5,120 bytes) was changed from byte 2,000" in refusal(model, signer)
    path.write_bytes(data[:3000])
    assert "'weights.bin' was cut to 3,000 bytes" in refusal(model, signer)
    path.write_bytes(data + b"x" * 880)
    assert "was changed from byte 5,000" in refusal(model, signer)
    path.write_bytes(data + b"x" * 881)
    assert "was changed" in refusal(model, signer)


def test_empty_files_that_shards_cannot_cover_are_told(model: Path, signer: Signer) -> None:
    sign(model, signer, shard_bytes=1000)
    (model / "__init__.py").touch()
    assert verify(model, keys=[signer.verifier]).unsigned == ("__init__.py",)
    sign(model, signer)
    (model / "sub" / "__init__.py").touch()
    assert "'sub/__init__.py' (0 bytes) was added" in refusal(model, signer)


def test_only_the_names_of_the_format_and_those_asked_for_are_ignored(model: Path, signer: Signer) -> None:
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("secret")
    (model / "logs").mkdir()
    (model / "logs" / "a.txt").write_text("line")
    manifest, _ = sign(model, signer, ignored=["logs/"])
    assert manifest.ignored == (".git", ".gitattributes", ".github", ".gitignore", "logs", "model.sig")
    (model / "logs" / "a.txt").write_text("another line")
    (model / ".gitignore").write_text("*.tmp")
    assert verify(model, keys=[signer.verifier]).unsigned == (".git", ".gitignore", "logs")
    (model / "sub" / ".gitignore").write_text("*.tmp")
    assert "'sub/.gitignore' (5 bytes) was added" in refusal(model, signer)
    assert verify(model, keys=[signer.verifier], ignored=["sub/.gitignore"]).n_files == 3


@pytest.mark.parametrize("name", ["/etc", "../up", "a/../../b", "*.txt", "", ".", "a[b]"])
def test_names_that_ignore_too_much_are_refused(model: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be ignored"):
        measure(model, ignored=(name,))


def test_a_single_file_may_be_renamed_and_not_changed(model: Path, signer: Signer) -> None:
    file = model / "weights.bin"
    manifest, _ = sign(file, signer)
    assert signature_path(file) == model / "weights.bin.sig"
    assert [r.name for r in manifest.resources] == ["."]
    moved = file.rename(model / "w.bin")
    assert verify(moved, signature_path(file), keys=[signer.verifier]).n_files == 1
    moved.write_bytes(b"x")
    assert "was changed" in refusal(moved, signer, signature=signature_path(file))
    assert "single file" in refusal(model, signer, signature=signature_path(file))
    sign(model, signer)
    assert "files of a folder" in refusal(moved, signer, signature=signature_path(model))


def test_the_specifications_name_of_a_single_file_is_accepted_too(model: Path, signer: Signer) -> None:
    manifest, _ = measure(model, ignored=("sub", "README.md"))
    (model / "s.sig").write_bytes(seal(manifest, signer).to_json())
    assert verify(model / "weights.bin", model / "s.sig", keys=[signer.verifier]).n_files == 1


def test_only_trusted_keys_are_believed(model: Path, signer: Signer) -> None:
    sign(model, signer)
    other = generate()
    with pytest.raises(SignatureRefused, match="another key than the ones you trust"):
        verify(model, keys=[other.verifier])
    assert verify(model, keys=[other.verifier, signer.verifier]).key_id == signer.key_id
    with pytest.raises(UsageError, match="nothing to trust"):
        verify(model)


def test_ed25519_is_told_to_sign_no_models(model: Path) -> None:
    with pytest.raises(UsageError, match="Ed25519"):
        sign(model, generate("ed25519"))


def test_an_empty_model_is_no_model(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x").touch()
    with pytest.raises(Unreadable, match="holds no content"):
        measure(tmp_path)


def test_a_hint_taken_from_the_right_key_does_not_help_a_wrong_one(model: Path, signer: Signer) -> None:
    sign(model, signer)
    path = signature_path(model)
    right = json.loads(path.read_text())
    sign(model, generate())
    wrong = json.loads(path.read_text())
    wrong["verificationMaterial"] = right["verificationMaterial"]
    path.write_text(json.dumps(wrong))
    with pytest.raises(SignatureRefused, match="none of the expected keys"):
        verify(model, keys=[signer.verifier])
    del right["verificationMaterial"]["publicKey"]["hint"]
    path.write_text(json.dumps(right))
    assert verify(model, keys=[signer.verifier]).n_files == 3


def test_signing_again_reads_only_what_changed(
    model: Path, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cache(algorithm: str = "sha256", shard_bytes: int | None = None) -> DigestCache:
        secret = tmp_path / "state" / "s"
        return DigestCache(tmp_path / "d", model, algorithm=algorithm, shard_bytes=shard_bytes, secret=secret)

    def names_read() -> set[str]:
        memory = cache()
        _, found = sign(model, signer, memory=memory)
        memory.save()
        return {d.name for d in found if not d.remembered}

    monkeypatch.setattr("redan.kernels.digests.cache.RACY_NS", 0)
    assert names_read() == {"README.md", "sub/config.json", "weights.bin"}
    (model / "README.md").write_text("other words")
    assert names_read() == {"README.md"}
    assert names_read() == set()
    assert verify(model, keys=[signer.verifier], memory_for=cache).n_remembered == 3
    (model / "weights.bin").write_bytes(b"x")
    with pytest.raises(SignatureRefused, match=r"'weights.bin' .* was changed"):
        verify(model, keys=[signer.verifier], memory_for=cache)


def statement(**changes: Any) -> dict[str, Any]:
    """Make a right statement about one file, with changes to its serialization or, as a list, its resources."""
    how = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    resources = changes.pop("resources", [{"name": "a", "algorithm": "sha256", "digest": "0" * 64}])
    return {
        "_type": changes.pop("_type", "https://in-toto.io/Statement/v1"),
        "subject": [{"name": "m", "digest": {"sha256": changes.pop("root", ROOT)}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"serialization": {**how, **changes}, "resources": resources},
    }


ROOT = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"


def one(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "algorithm": "sha256", "digest": "0" * 64, **changes}]


def test_the_right_statement_is_read() -> None:
    assert manifest_of(json.dumps(statement()).encode()).root_digest == ROOT


@pytest.mark.parametrize("algorithm", ["sha256", "sha256-sharded-5"])
@pytest.mark.parametrize("size", [5, 5.0])
def test_shards_are_read_as_specified_and_as_model_signing_writes_them(algorithm: str, size: float) -> None:
    text = json.dumps(statement(method="shards", shard_size=size, resources=one(name="a:b:5:9", algorithm=algorithm)))
    manifest = manifest_of(text.encode())
    assert (manifest.shard_bytes, manifest.resources[0].name) == (5, "a:b")


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"root": "0" * 64},
        {"method": "lines"},
        {"method": "shards"},
        {"method": "shards", "shard_size": 0},
        {"method": "shards", "shard_size": True},
        {"method": "shards", "shard_size": 5.5},
        {"method": "shards", "shard_size": "5"},
        {"method": "shards", "shard_size": 5, "resources": one(name="a:0:5", algorithm="sha256-sharded-6")},
        {"method": "shards", "shard_size": 5, "resources": one(name="a:0:6")},
        {"method": "shards", "shard_size": 5, "resources": one(name="a:-1:3")},
        {"method": "shards", "shard_size": 5, "resources": one(name="a:00:3")},
        {"method": "shards", "shard_size": 5, "resources": one(name="a:3:3")},
        {"method": "shards", "shard_size": 5, "resources": one()},
        {"hash_type": "md5"},
        {"hash_type": "blake2b"},
        {"allow_symlinks": "no"},
        {"resources": []},
        {"resources": one() * 2, "root": "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {"resources": one(name="../a")},
        {"resources": one(name="/a")},
        {"resources": one(name="a//b")},
        {"resources": one(name="a/./b")},
        {"resources": one(name="")},
        {"resources": one(digest="0" * 63)},
        {"resources": one(digest="0" * 128)},
        {"resources": one(digest="A" * 64)},
        {"resources": one(digest=7)},
        {"resources": [7]},
        {"resources": {"name": "a"}},
    ],
    ids=str,
)
def test_statements_that_cannot_be_right_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        manifest_of(json.dumps(statement(**changes)).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"a":1,"a":2}'])
def test_what_is_no_bundle_or_statement_is_told(data: bytes) -> None:
    with pytest.raises(Unreadable):
        from_json(data)
    with pytest.raises(Unreadable):
        manifest_of(data)


@pytest.mark.parametrize(
    ("material", "match"),
    [
        ({"certificate": {"rawBytes": "AA=="}}, "takes the network"),
        ({}, "no Sigstore bundle"),
        ({"publicKey": None}, "no Sigstore bundle"),
        ({"x509CertificateChain": {"certificates": [{"rawBytes": "%"}]}}, "no Sigstore bundle"),
        ({"x509CertificateChain": {"certificates": {}}}, "no Sigstore bundle"),
    ],
)
def test_bundles_without_what_is_needed_are_told(material: object, match: str, signer: Signer) -> None:
    document = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": dsse.seal(b"{}", signer).document(),
    }
    with pytest.raises(Unreadable, match=match):
        from_json(json.dumps(document).encode())
    document["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.9+json"
    with pytest.raises(Unreadable, match="expected"):
        from_json(json.dumps(document).encode())


def test_a_bundle_made_to_fill_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = b'{"mediaType":"' + MEDIA_TYPE.encode() + b'","x":[' + b"[]," * 3_000_000 + b"[]]}"
    tracemalloc.start()
    with pytest.raises(Unreadable, match="more than 10,000 values"):
        from_json(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(data)
    (tmp_path / "s").write_bytes(b"")
    os.truncate(tmp_path / "s", LARGEST_BUNDLE_BYTES + 1)
    with pytest.raises(Unreadable, match="larger than 64 MiB"):
        load(tmp_path / "s")


def test_a_signature_too_large_to_be_read_again_is_not_written(
    model: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redan.evidence.signing.signature.LARGEST_BUNDLE_BYTES", 100)
    with pytest.raises(UsageError, match="can be read again"):
        sign(model, signer)
    assert sorted(path.name for path in model.iterdir()) == ["README.md", "sub", "weights.bin"]


def test_old_bundles_with_the_key_itself_in_them_are_read(model: Path, signer: Signer) -> None:
    sign(model, signer)
    path = signature_path(model)
    document = json.loads(path.read_text())
    raw = b64encode(signer.verifier.pem()).decode()
    document["verificationMaterial"] = {"publicKey": {"rawBytes": raw, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}
    document["dsseEnvelope"]["signatures"][0]["keyid"] = None
    path.write_text(json.dumps(document))
    assert verify(model, keys=[signer.verifier]).n_files == 3
    with pytest.raises(SignatureRefused):
        verify(model, keys=[generate().verifier])


def test_an_absent_signature_says_how_to_make_one(model: Path, signer: Signer) -> None:
    with pytest.raises(Unreadable, match="cannot read the signature") as told:
        verify(model, keys=[signer.verifier])
    assert "redan sign" in told.value.hint
