"""Signed notes and checkpoints, against examples of the specifications and against an independent encoder."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.keys import Signer, generate, signer_of
from redan.evidence.log import notes
from redan.evidence.log.notes import Checkpoint, NoteKey

# The checkpoint and signature lines that the C2SP pages show
PUBLISHED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
HEAD = Checkpoint(origin="example.com/models", size=3, root=sha256(b"x").digest())


def test_the_published_checkpoint_is_read_and_written_back_unchanged() -> None:
    found = notes.parse(PUBLISHED.encode())
    assert (found.origin, found.size, len(found.signatures)) == ("example.com/behind-the-sofa", 20852163, 2)
    assert [s.hash.hex() for s in found.signatures] == ["033de0ae", "8d66cf3f"]
    assert int.from_bytes(found.signatures[1].signature[:8], "big") == 1679315147
    assert found.text() == PUBLISHED


def test_signatures_are_those_that_the_specification_describes() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    body = f"example.com/models\n3\n{b64encode(HEAD.root).decode()}\n".encode()
    hashed = sha256(b"example.com/models\n\x01" + public).digest()[:4]
    line = "— example.com/models " + b64encode(hashed + private.sign(body)).decode() + "\n"
    assert notes.sign(HEAD, signer_of(private)).text() == body.decode() + "\n" + line

    at = (1700000000).to_bytes(8, "big")
    hashed = sha256(b"w.example\n\x04" + public).digest()[:4]
    signed = at + private.sign(b"cosignature/v1\ntime 1700000000\n" + body)
    line = "— w.example " + b64encode(hashed + signed).decode() + "\n"
    assert notes.cosign(HEAD, "w.example", signer_of(private), 1700000000).line() == line


def test_a_key_survives_its_text_form(key: NoteKey, signer: Signer) -> None:
    assert notes.parse_key(key.text()) == key
    witness = notes.key_of("w.example", signer.verifier, notes.KIND_WITNESS)
    assert notes.parse_key(witness.text() + "\n") == witness
    assert witness.hash != notes.key_of("w.example", signer.verifier).hash


@pytest.mark.parametrize(
    "bad", ["", "a+b", "a+00000000+AQ==", "x+y+z", "a b+00000000+" + b64encode(b"\1" * 33).decode()]
)
def test_no_key_is_told(bad: str, key: NoteKey) -> None:
    with pytest.raises(Unreadable):
        notes.parse_key(bad)
    with pytest.raises(Unreadable, match="hash"):
        notes.parse_key(key.text().replace("example", "exemple"))


def test_a_checkpoint_is_accepted_from_its_own_key_only(signer: Signer, key: NoteKey) -> None:
    signed = notes.sign(HEAD, signer)
    notes.signed_by(signed, key)
    other = generate("ed25519")
    with pytest.raises(SignatureRefused, match="did not sign"):
        notes.signed_by(signed, notes.key_of(key.name, other.verifier))
    with pytest.raises(SignatureRefused, match="of the log"):
        notes.signed_by(signed, notes.key_of("example.com/others", signer.verifier))
    for changed in (replace(signed, size=4), replace(signed, root=bytes(32)), replace(signed, extensions=("more",))):
        with pytest.raises(SignatureRefused):
            notes.signed_by(changed, key)


def test_a_cosignature_covers_the_time(signer: Signer) -> None:
    key = notes.key_of("w.example", signer.verifier, notes.KIND_WITNESS)
    line = notes.cosign(HEAD, "w.example", signer, 1000)
    assert notes.cosigned_by(HEAD.with_signatures([line]), key) == 1000
    moved = replace(line, signature=(2000).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(SignatureRefused):
        notes.cosigned_by(HEAD.with_signatures([moved]), key)
    with pytest.raises(SignatureRefused, match="did not sign"):
        notes.cosigned_by(notes.sign(HEAD, signer), key)


def test_other_kinds_of_keys_and_unfit_names_are_refused() -> None:
    with pytest.raises(UsageError, match="Ed25519"):
        notes.sign(HEAD, generate("p256"))
    for name in ("", "a b", "a+b", "a\u2003b", "a\n", "x" * 256):
        with pytest.raises(UsageError, match="cannot be the name"):
            notes.key_of(name, generate("ed25519").verifier)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"a\n1\n\n",
        b"a\n01\n" + b64encode(bytes(32)) + b"\n\n",
        b"a\n-1\n" + b64encode(bytes(32)) + b"\n\n",
        b"a\n1\n" + b64encode(bytes(31)) + b"\n\n",
        b"a\n1\n" + b64encode(bytes(32)) + b"\n\nnot a signature\n",
        b"a\r\n1\n" + b64encode(bytes(32)) + b"\n\n",
        b"a\n1\n" + b64encode(bytes(32)) + b"\n\n" + "— a AAAA\n".encode(),
        b"\xff\n1\n\n",
        b"a" * 70_000,
        b"a\n" + b"9" * 5000 + b"\n" + b64encode(bytes(32)) + b"\n\n",
        PUBLISHED.encode().replace(b"2I=\n", b"2J=\n"),
        PUBLISHED.encode()[:-1],
        PUBLISHED.encode() + PUBLISHED.split("\n\n")[1].encode() * 40,
    ],
)
def test_no_checkpoint_is_told(bad: bytes) -> None:
    with pytest.raises(Unreadable, match="no checkpoint"):
        notes.parse(bad)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = notes.parse(data)
    except Unreadable:
        return
    assert found.text().encode() == data
