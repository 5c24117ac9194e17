"""Every check against a server that has its weakness and nothing else, and against one that has none."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.model_server import TOKEN, WEAKNESSES, model_server

from redan.core import catalogue
from redan.core.errors import Unreadable, UsageError
from redan.core.finding import Finding
from redan.core.report import Report
from redan.kernels.deployment.exchange import Request
from redan.runner.deployment import scan_deployment
from redan.subjects.deployment import DeploymentSubject

NAMES = {e.id: e.name for e in catalogue.entries("rule")}
BESIDE = {
    "takes-jobs": {
        "open-server-lists",
        "known-vulnerable-server",
    },  # a Ray server whose jobs are open, told its version
}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary.txt"
    path.write_text("canary 1f0c9d4be2a7", encoding="utf-8")
    return path


def report_on(url: str, canary: Path) -> Report:
    return scan_deployment(url, credential=TOKEN, canary=canary)


def found(report: Report) -> dict[str, Finding]:
    return {NAMES[f.rule]: f for f in report.findings if f.rule in NAMES}


def account(report: Report) -> Finding:
    return next(f for f in report.findings if f.rule == "RDN-SUP-080")


def test_a_credential_does_not_cross_the_network_in_the_clear(canary: Path) -> None:
    with pytest.raises(UsageError, match="in the clear"):
        DeploymentSubject("http://192.0.2.1:8080", credential=TOKEN, canary=canary, allow_remote=True)
    DeploymentSubject("http://192.0.2.1:8080", canary=canary, allow_remote=True)


def test_a_server_without_weaknesses_has_no_findings_and_says_what_was_not_tested(canary: Path) -> None:
    with model_server() as url:
        report = report_on(url, canary)
    assert found(report) == {}
    told = account(report)
    assert "14 checks" in told.title
    assert "Not tested: known-vulnerable-server (no server told its version)" in told.detail
    assert report.gate.verdict == "pass"


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_each_weakness_is_found_and_no_other(weakness: str, canary: Path) -> None:
    with model_server(weakness) as url:
        findings = found(report_on(url, canary))
    assert weakness in findings
    assert set(findings) - {weakness} <= BESIDE.get(weakness, set())
    finding = findings[weakness]
    assert finding.confidence == ("likely" if weakness == "known-vulnerable-server" else "confirmed")
    assert finding.remedies
    assert TOKEN not in str(finding)


def test_other_machines_need_permission() -> None:
    with pytest.raises(UsageError, match="not this machine"):
        DeploymentSubject("http://192.0.2.1:1/")
    for bad in ("ftp://localhost/", "localhost:80", "http://user:pw@localhost/"):
        with pytest.raises(UsageError):
            DeploymentSubject(bad)


def test_a_canary_must_be_recognisable(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a", encoding="utf-8")
    with pytest.raises(UsageError, match="too little"):
        DeploymentSubject("http://127.0.0.1:1/", canary=tmp_path / "short")
    with pytest.raises(Unreadable):
        DeploymentSubject("http://127.0.0.1:1/", canary=tmp_path / "absent")


def test_nothing_that_answers_could_not_be_decided() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    report = scan_deployment(f"http://127.0.0.1:{port}/")
    assert report.gate.exit_code == 3
    assert "nothing that speaks HTTP answers" in report.probes[0].why


def test_requests_are_bounded(canary: Path) -> None:
    with model_server() as url:
        subject = DeploymentSubject(url, credential=TOKEN, canary=canary, most_requests=30)
        probe = catalogue.load(catalogue.entry("probe", "deployment"))()
        from redan.core.budget import Budget
        from redan.core.inputs import Inputs
        from redan.core.progress import SILENT

        findings = list(probe.run(subject, Inputs(), probe.Params(), budget=Budget(), seed=0, observe=SILENT))
        subject.close()
    assert subject.n_requests == 30
    assert "all requests were spent" in findings[-1].detail


@contextmanager
def hostile(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does whatever it likes with each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            Thread(target=one, args=(line,), daemon=True).start()

    def one(line: socket.socket) -> None:
        with line:
            try:
                line.recv(1 << 16)
                answer(line)
            except OSError:
                return

    Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.close()


def drip(line: socket.socket) -> None:
    for _ in range(1000):
        line.sendall(b"x")
        sleep(0.02)


def flood(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.sendall(b"A" * 65536)


def headers(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % k for k in range(5000)) + b"\r\n")


def chunks(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\nabc")


@pytest.mark.parametrize("answer", [drip, flood, headers, chunks, lambda line: line.sendall(b"\x00\xff" * 100)])
def test_a_hostile_server_costs_bounded_time_and_bytes(answer: Callable[[socket.socket], None]) -> None:
    with hostile(answer) as url:
        subject = DeploymentSubject(url, timeout_s=0.3)
        began_s = monotonic()
        got = subject.ask(Request(path="/"))
        subject.close()
    assert monotonic() - began_s < 2
    assert got is None or len(got.body) <= 256 << 10


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return public, private


def test_an_untrusted_certificate_is_a_finding_and_not_the_end(tmp_path: Path, canary: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    with model_server(tls=context) as url:
        report = report_on(url, canary)
    assert "the certificate does not hold" in found(report)["weak-transport"].title
    assert "validation" not in account(report).detail.partition("Not tested")[2]
