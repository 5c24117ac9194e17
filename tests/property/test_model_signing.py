"""Model signatures: any change of any file is refused, and signing never depends on how the reading went."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import RedanError, SignatureRefused, Unreadable
from redan.evidence.keys import generate
from redan.evidence.signing import manifest_of, measure, sign, signature_path, verify
from redan.evidence.signing.bundle import from_json
from redan.evidence.signing.differences import differences
from redan.kernels.digests import tree

SIGNER = generate()
PARTS = st.sampled_from(["a", "b", "a.b", "A", "é", "0:5", "x y", "model"])
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
MODELS = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6).filter(
    lambda files: not any(other.startswith(name + "/") for name in files for other in files)
)
SHARDS = st.sampled_from([None, 1, 7, 40])


@contextmanager
def folder(files: dict[str, bytes]) -> Iterator[Path]:
    """Write files into a folder that is gone afterwards."""
    root = Path(tempfile.mkdtemp())
    try:
        for name, data in files.items():
            path = root / "m" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        yield root / "m"
    finally:
        shutil.rmtree(root)


def accepted(model: Path) -> bool:
    try:
        verify(model, keys=[SIGNER.verifier])
    except SignatureRefused:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(files=MODELS, data=st.data(), shard_bytes=SHARDS)
def test_any_flipped_bit_is_refused(files: dict[str, bytes], data: st.DataObject, shard_bytes: int | None) -> None:
    full = {name: content + b"!" for name, content in files.items()}
    with folder(full) as model:
        sign(model, SIGNER, shard_bytes=shard_bytes)
        assert accepted(model)
        name = data.draw(st.sampled_from(sorted(full)))
        bit = data.draw(st.integers(0, 8 * len(full[name]) - 1))
        changed = bytearray(full[name])
        changed[bit // 8] ^= 1 << bit % 8
        (model / name).write_bytes(changed)
        assert not accepted(model)


@settings(max_examples=60, deadline=None)
@given(files=MODELS, data=st.data(), shard_bytes=SHARDS)
def test_any_file_cut_lengthened_removed_or_renamed_is_refused(
    files: dict[str, bytes], data: st.DataObject, shard_bytes: int | None
) -> None:
    full = {name: content + b"!" for name, content in files.items()}
    with folder(full) as model:
        sign(model, SIGNER, shard_bytes=shard_bytes)
        path = model / data.draw(st.sampled_from(sorted(full)))
        match data.draw(st.sampled_from(["cut", "lengthen", "remove", "rename"])):
            case "cut":
                path.write_bytes(path.read_bytes()[:-1])
            case "lengthen":
                path.write_bytes(path.read_bytes() + b"\0")
            case "remove":
                path.unlink()
            case "rename":
                path.rename(path.with_name(path.name + "~"))
        assert not accepted(model)


@settings(max_examples=40, deadline=None)
@given(files=MODELS, name=NAMES, content=st.binary(min_size=1, max_size=5), shard_bytes=SHARDS)
def test_any_added_file_is_refused(files: dict[str, bytes], name: str, content: bytes, shard_bytes: int | None) -> None:
    full = {each: data + b"!" for each, data in files.items()}
    with folder(full) as model:
        sign(model, SIGNER, shard_bytes=shard_bytes)
        path = model / "new" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        assert not accepted(model)


@settings(max_examples=40, deadline=None)
@given(before=MODELS, after=MODELS)
def test_there_is_a_sentence_for_each_file_that_differs_and_for_no_other(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    with folder(before) as model, folder(after) as other:
        manifest, _ = measure(model)
        found = differences(manifest, tree(other))
        renames = sum(d.kind == "renamed" for d in found)
        differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert len(found) == len(differing) - renames
        assert {d.name for d in found} <= differing


@settings(max_examples=40, deadline=None)
@given(files=MODELS, shard_bytes=SHARDS, threads=st.integers(1, 4))
def test_threads_do_not_change_the_statement_and_it_reads_back(
    files: dict[str, bytes], shard_bytes: int | None, threads: int
) -> None:
    with folder({name: content + b"!" for name, content in files.items()}) as model:
        manifest, found = measure(model, shard_bytes=shard_bytes)
        assert found == tree(model, shard_bytes=shard_bytes, threads=threads)
        assert manifest_of(manifest.statement()) == manifest
        labels = [r.label for r in manifest.resources]
        assert labels == sorted(labels)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_signature_file_is_refused_or_says_the_same(place: int, value: int) -> None:
    with folder({"a": b"1", "b/c": b"2"}) as model:
        sign(model, SIGNER)
        path = signature_path(model)
        raw = bytearray(path.read_bytes())
        raw[place % len(raw)] = value
        path.write_bytes(raw)
        try:
            found = verify(model, keys=[SIGNER.verifier])
        except (SignatureRefused, Unreadable):
            return
        assert found.manifest == measure(model, ignored=("model.sig",))[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["a:0:5", "0" * 64, "shards"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resources", "serialization", "name", "digest", "method", "x"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(subject=JSON, predicate=JSON, material=JSON)
def test_any_document_is_read_or_refused_in_words(subject: object, predicate: object, material: object) -> None:
    kinds = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://model_signing/signature/v1.0"}
    bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material}
    for read, document in (
        (manifest_of, {**kinds, "subject": subject, "predicate": predicate}),
        (from_json, {**bundle, "dsseEnvelope": predicate}),
    ):
        with pytest.raises(RedanError):
            read(json.dumps(document).encode())  # type: ignore[operator]
