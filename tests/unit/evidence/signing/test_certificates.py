"""Certificates: the chains that are believed, and a sentence for each reason not to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.evidence.signing.authorities import CODE, SERVER, Issued, hierarchy, issue

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.keys import generate, signer_of
from redan.evidence.signing import sign, verify
from redan.evidence.signing.certificates import load_certificates, trusted_signer


def refused(leaf: Issued, between: list[Issued], root: Issued, **how: object) -> str:
    with pytest.raises(SignatureRefused) as told:
        trusted_signer([leaf.der, *(c.der for c in between)], [root.certificate], **how)  # type: ignore[arg-type]
    return told.value.message


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
@pytest.mark.parametrize(("usage", "purposes"), [("sign", CODE), ("sign", ()), (None, CODE)])
def test_a_chain_to_a_trusted_certificate_names_the_signer(
    curve: type[ec.EllipticCurve], usage: str | None, purposes: tuple[object, ...]
) -> None:
    root, between, leaf = hierarchy(usage=usage, purposes=purposes, key=ec.generate_private_key(curve()))
    key, name = trusted_signer([leaf.der, between.der], [root.certificate], identity="ml@example.org")
    assert name == "CN=Team"
    assert key.public == leaf.certificate.public_key()
    assert trusted_signer([leaf.der, between.der, root.der], [root.certificate])[1] == name
    assert trusted_signer([leaf.der], [root.certificate, between.certificate])[1] == name


def test_another_root_or_a_missing_link_is_refused() -> None:
    root, between, leaf = hierarchy()
    assert "does not lead to one you trust" in refused(leaf, [between], issue("Root", ca=True, usage="issue"))
    assert "no certificate of its issuer is at hand" in refused(leaf, [], root)


def test_validity_is_checked_at_the_time_asked_for() -> None:
    root, between, leaf = hierarchy(days=(-20, -10))
    assert "CN=Team is valid from" in refused(leaf, [between], root)
    old = issue("Root", ca=True, usage="issue", days=(-30, 30))
    signer = issue("Team", old, usage="sign", days=(-20, -10))
    at = datetime.now(UTC) - timedelta(days=15)
    assert trusted_signer([signer.der], [old.certificate], at=at)[1] == "CN=Team"
    assert "valid from" in refused(signer, [], old, at=at - timedelta(days=10))
    early = issue("Team", old, usage="sign", days=(10, 20))
    assert "valid from" in refused(early, [], old)


def test_an_authority_that_has_run_out_is_refused() -> None:
    root = issue("Root", ca=True, usage="issue", days=(-30, 30))
    between = issue("Authority", root, ca=True, usage="issue", days=(-30, -1))
    assert "run out" in refused(issue("Team", between, usage="sign"), [between], root)


@pytest.mark.parametrize(("usage", "purposes"), [(None, ()), ("issue", CODE), ("sign", SERVER), (None, SERVER)])
def test_a_certificate_for_another_purpose_is_refused(usage: str | None, purposes: tuple[object, ...]) -> None:
    root, between, leaf = hierarchy(usage=usage, purposes=purposes)
    assert "not made for signing" in refused(leaf, [between], root)


def test_somebody_who_may_sign_may_not_issue() -> None:
    root, between, leaf = hierarchy()
    stranger = issue("Stranger", leaf, usage="sign")
    assert "does not lead" in refused(stranger, [leaf, between], root)
    limited = issue("Limited", root, ca=True, usage="sign")
    assert "CN=Limited is not made for signing certificates" in refused(
        issue("Team", limited, usage="sign"), [limited], root
    )


def test_another_name_is_refused_and_told() -> None:
    root, between, leaf = hierarchy()
    assert refused(leaf, [between], root, identity="x@example.org") == (
        "this was signed by Team, ml@example.org; expected x@example.org"
    )


def test_keys_of_other_kinds_are_refused() -> None:
    root, between, leaf = hierarchy(key=rsa.generate_private_key(65537, 2048))
    assert "not P-256" in refused(leaf, [between], root)


def test_broken_certificates_are_told(tmp_path: Path) -> None:
    root, _, leaf = hierarchy()
    with pytest.raises(Unreadable, match="cannot be read"):
        trusted_signer([leaf.der[:-9]], [root.certificate])
    with pytest.raises(Unreadable, match="cannot be read"):
        trusted_signer([leaf.der, b""], [root.certificate])
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(Unreadable, match="no certificate in PEM"):
        load_certificates(tmp_path / "no.pem")
    with pytest.raises(Unreadable, match="cannot read"):
        load_certificates(tmp_path / "absent.pem")


def test_a_model_is_signed_and_verified_by_name(tmp_path: Path) -> None:
    root, between, leaf = hierarchy()
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"w")
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    signer = signer_of(leaf.key)
    sign(model, signer, chain=[leaf.certificate, between.certificate])
    found = verify(model, authorities=[root.certificate], identity="Team")
    assert (found.signer, found.key_id) == ("CN=Team", signer.key_id)
    assert verify(model, keys=[signer.verifier]).signer.startswith("key ")
    with pytest.raises(SignatureRefused, match="none of the expected keys"):
        verify(model, keys=[generate().verifier])
    (model / "weights").write_bytes(b"v")
    with pytest.raises(SignatureRefused, match=r"'weights' .* was changed"):
        verify(model, authorities=[root.certificate])


def test_a_name_is_never_taken_from_a_signature_without_certificate(tmp_path: Path) -> None:
    model, signer = tmp_path / "model.bin", generate()
    model.write_bytes(b"w")
    sign(model, signer)
    root, *_ = hierarchy()
    with pytest.raises(SignatureRefused, match="only a certificate"):
        verify(model, keys=[signer.verifier], identity="ml@example.org")
    with pytest.raises(SignatureRefused, match="has no certificate"):
        verify(model, authorities=[root.certificate])


def test_signing_refuses_certificates_that_verifying_would(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"w")
    _, _, leaf = hierarchy()
    with pytest.raises(UsageError, match="another key"):
        sign(model, generate(), chain=[leaf.certificate])
    _, _, old = hierarchy(days=(-20, -10))
    assert isinstance(old.key, ec.EllipticCurvePrivateKey)
    with pytest.raises(SignatureRefused, match="valid from"):
        sign(model, signer_of(old.key), chain=[old.certificate])
    assert not (tmp_path / "model.bin.sig").exists()
