"""Who signed, said by certificates: a chain from the signer's to one that the verifier trusts.

Source: OpenSSF Model Signing specification 1.0, section 8.2; RFC 5280, sections 4.2.1.3, 4.2.1.12 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence.keys import Verifier, verifier_of

LARGEST_CHAIN_BYTES = 1 << 20
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""The curves of the specification's algorithm registry."""


def load_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM file in their order.

    Raises:
        Unreadable: missing, or no certificates.
    """
    try:
        with path.open("rb") as file:
            return tuple(x509.load_pem_x509_certificates(file.read(LARGEST_CHAIN_BYTES)))
    except OSError as err:
        raise Unreadable(f"cannot read the certificate {str(path)!r}: {err.strerror}") from err
    except ValueError as err:
        raise Unreadable(f"{str(path)!r} holds no certificate in PEM: {err}") from err


def subject_of(certificate: x509.Certificate) -> str:
    """Return whom a certificate is about."""
    return certificate.subject.rfc4514_string() or "nobody by name"


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return every name a certificate gives its owner: common names, mail addresses, host names and URIs."""
    names = {str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(names)
    kinds = (x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier)
    return frozenset(names.union(*(extension.get_values_for_type(kind) for kind in kinds)))


def signing_key(certificate: x509.Certificate, *, at: datetime) -> Verifier:
    """Return the key of a certificate that may sign at a time.

    Raises:
        SignatureRefused: not valid at that time, not for signing, or a key of a kind that models are not signed with.
    """
    who = subject_of(certificate)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= at <= ends:
        raise SignatureRefused(
            f"the certificate of {who} is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC; "
            f"expected it to be valid at {at:%Y-%m-%d %H:%M}",
            hint="sign again with a certificate that is valid now",
        )
    if not _may_sign(certificate):
        raise SignatureRefused(
            f"the certificate of {who} is not made for signing; expected the key usage digitalSignature, "
            "and codeSigning where the extended key usage is limited"
        )
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise SignatureRefused(f"the certificate of {who} holds a key that is not P-256, P-384 or P-521")
    return verifier_of(key)


def trusted_signer(
    chain: Sequence[bytes], trusted: Sequence[x509.Certificate], *, at: datetime | None = None, identity: str = ""
) -> tuple[Verifier, str]:
    """Check a chain of certificates and return the signer's key and name.

    Args:
        chain: certificates in DER, the signer's first, then those between it and a trusted one.
        trusted: certificates that are believed.
        at: the time to check at; now when None.
        identity: a common name, mail address, host name or URI that the signer's certificate must carry; any if empty.

    Raises:
        SignatureRefused: no valid chain, or another signer.
        Unreadable: the chain holds something that is no certificate.
    """
    moment = at or datetime.now(UTC)
    try:
        leaf, *between = (x509.load_der_x509_certificate(der) for der in chain)
    except ValueError as err:
        raise Unreadable(f"the signature holds a certificate that cannot be read: {err}") from err
    verifier = signing_key(leaf, at=moment)
    issuers = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    policy = PolicyBuilder().store(Store(list(trusted))).time(moment)
    policy = policy.extension_policies(ca_policy=issuers, ee_policy=ExtensionPolicy.permit_all())
    try:
        path = policy.build_client_verifier().verify(leaf, between).chain
    except VerificationError as err:
        raise SignatureRefused(
            f"the certificate of {subject_of(leaf)} does not lead to one you trust: {_reason(err)}",
            hint="get the certificate of the authority from the signer, by another way than the model came",
        ) from err
    for issuer in path[1:]:
        if not _may_issue(issuer):
            raise SignatureRefused(f"the certificate of {subject_of(issuer)} is not made for signing certificates")
    if identity and identity not in names_of(leaf):
        raise SignatureRefused(f"this was signed by {', '.join(sorted(names_of(leaf)))}; expected {identity}")
    return verifier, subject_of(leaf)


def _may_sign(certificate: x509.Certificate) -> bool:
    usage, purposes = _usage(certificate), _purposes(certificate)
    code = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usage is None and purposes is None:
        return False
    return (usage is None or usage.digital_signature) and (purposes is None or bool(code & set(purposes)))


def _may_issue(certificate: x509.Certificate) -> bool:
    usage = _usage(certificate)
    return usage is None or usage.key_cert_sign


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _purposes(certificate: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _reason(err: VerificationError) -> str:
    text = str(err).removeprefix("validation failed: ").removeprefix("candidates exhausted: ")
    text = text.partition(" (encountered")[0]
    if "all candidates exhausted" in text:
        return "no certificate of its issuer is at hand"
    return "a certificate on the way has run out" if "not valid at validation time" in text else text
