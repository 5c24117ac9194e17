"""Certificate authorities for tests: every way in which a chain can be right or wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def save(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write certificate and key as PEM."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key


def issue(
    name: str,
    by: Issued | None = None,
    *,
    ca: bool = False,
    usage: str | None = None,
    purposes: Iterable[x509.ObjectIdentifier] = (),
    days: tuple[float, float] = (-1, 30),
    key: PrivateKey | None = None,
    mail: str = "",
) -> Issued:
    """Issue a certificate; signed by itself when nobody is named. Usage is "sign", "issue", "both" or none stated."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if usage is not None:
        sign, certify = usage in ("sign", "both"), usage in ("issue", "both")
        flags = x509.KeyUsage(sign, False, False, False, False, certify, False, False, False)
        builder = builder.add_extension(flags, critical=True)
    if tuple(purposes):
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if mail:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(mail)]), critical=False)
    return Issued(builder.sign(by.key if by else own, hashes.SHA256()), own)


def hierarchy(**leaf: object) -> tuple[Issued, Issued, Issued]:
    """A root, an authority below it, and somebody who signs; the last as told."""
    root = issue("Root", ca=True, usage="issue")
    between = issue("Authority", root, ca=True, usage="issue")
    told: dict[str, object] = {"usage": "sign", "purposes": CODE, "mail": "ml@example.org", **leaf}
    return root, between, issue("Team", between, **told)  # type: ignore[arg-type]
