"""Keys and envelopes: what one signs the other accepts, and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.keys import KeyKind, generate, load_signer, load_verifier, save

KINDS: tuple[KeyKind, ...] = ("p256", "p384", "p521", "ed25519")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("password", [None, b"open sesame"])
def test_a_saved_pair_signs_and_verifies(tmp_path: Path, kind: KeyKind, password: bytes | None) -> None:
    path = tmp_path / "signing.key"
    public = save(generate(kind), path, password=password)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signer, verifier = load_signer(path, password=password), load_verifier(public)
    assert signer.key_id == verifier.key_id
    verifier.verify(b"data", signer.sign(b"data"))
    with pytest.raises(SignatureRefused):
        verifier.verify(b"Data", signer.sign(b"data"))


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "k"
    save(generate(), path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        save(generate(), path)
    assert path.read_bytes() == before


def test_wrong_password_and_wrong_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "k"
    public = save(generate(), path, password=b"right")
    for bad in (b"wrong", None):
        with pytest.raises(Unreadable):
            load_signer(path, password=bad)
    with pytest.raises(Unreadable):
        load_signer(public)
    with pytest.raises(Unreadable):
        load_verifier(path)
    with pytest.raises(Unreadable, match="cannot read the key"):
        load_verifier(tmp_path / "absent")


def test_an_envelope_covers_type_and_payload() -> None:
    signer, other = generate("ed25519"), generate("ed25519")
    envelope = dsse.from_json(dsse.seal(b'{"a":1}', signer).to_json())
    assert dsse.opened(envelope, [other.verifier, signer.verifier]) is signer.verifier
    with pytest.raises(SignatureRefused, match="none of the expected keys"):
        dsse.opened(envelope, [other.verifier])
    changed = dsse.Envelope(payload_type=envelope.payload_type, payload=b'{"a":2}', signatures=envelope.signatures)
    with pytest.raises(SignatureRefused):
        dsse.opened(changed, [signer.verifier])
    with pytest.raises(SignatureRefused, match="expected"):
        dsse.opened(dsse.seal(b"x", signer, payload_type="text/plain"), [signer.verifier])


def test_the_encoding_is_the_one_of_the_specification() -> None:
    assert dsse.encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    "bad", [b"", b"[]", b"null", b"{}", b'{"payload":"%%","payloadType":"a","signatures":[]}', b"[" * 9999]
)
def test_no_envelope_is_told(bad: bytes) -> None:
    with pytest.raises(Unreadable):
        dsse.from_json(bad)
