"""What arrives at real receivers, and that a client's words cannot become a header, a field or a second message."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.monitoring.receivers import datagrams, hook
from tests.unit.service.monitoring.standins import finding

from redan.core.errors import ConfigError
from redan.core.finding import Severity
from redan.core.settings_service import Alerts
from redan.service.monitoring.alerts import channels_of
from redan.service.monitoring.channel import Later, Undeliverable
from redan.service.monitoring.mail import Mail
from redan.service.monitoring.notice import notice_of
from redan.service.monitoring.syslog import Syslog, line
from redan.service.monitoring.webhook import Webhook, encoded

SECRET = "0123456789abcdef0123456789abcdef"
HEAD = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) redan (\d+) ([!-~]{1,32}) "
    rb'\[finding@32473((?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+)\] \xef\xbb\xbf(.*)',
    flags=re.DOTALL,
)


def notice(**changes: Any) -> Any:
    made = notice_of(finding(detail="ask less"), state="open", at_s=1_800_000_000.5, times=1, replica="here")
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_WEBHOOK_SECRET", SECRET)


class Box:
    """A mailbox behind a real SMTP server."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.letters.append((session.ssl is not None, envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.answer


@pytest.fixture
def box() -> Iterator[tuple[Box, Alerts]]:
    made = Box()
    controller = Controller(made, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings = replace(Alerts(), email=("soc@example.com", "b@example.com"), smtp=f"127.0.0.1:{controller.port}")
    yield made, settings
    controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_webhook_gets_json_that_its_signature_and_timestamp_cover() -> None:
    with hook() as receiver:
        Webhook(receiver.url).send(notice())
        path, headers, body = receiver.got.get(timeout=5)
    stamp, signature = headers["Redan-Timestamp"], headers["Redan-Signature"]
    expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signature == f"v1={expected}"
    assert abs(int(stamp) - time.time()) < 60
    assert path == "/hook?token=private"
    said = json.loads(body)
    assert (said["schema"], said["severity"], said["state"]) == ("redan/alert/1", "high", "open")
    assert headers["Redan-Delivery"].startswith(said["fingerprint"])
    assert headers["Redan-Delivery"] == said["id"]


def test_a_redirect_is_not_followed() -> None:
    with hook() as inside, hook() as receiver:
        receiver.answers = [(302, {"Location": inside.url})]
        with pytest.raises(Undeliverable, match="302"):
            Webhook(receiver.url).send(notice())
        assert inside.got.empty()


@pytest.mark.parametrize(("status", "error"), [(500, Later), (429, Later), (404, Undeliverable)])
def test_only_what_may_pass_is_tried_again(status: int, error: type[Exception]) -> None:
    with hook() as receiver:
        receiver.answers = [(status, {"Retry-After": "7"})]
        with pytest.raises(Undeliverable) as raised:
            Webhook(receiver.url).send(notice())
    assert type(raised.value) is error
    assert "private" not in str(raised.value)
    if isinstance(raised.value, Later):
        assert raised.value.after_s == 7


def test_a_webhook_that_is_away_may_come_back() -> None:
    with pytest.raises(Later, match="ConnectError"):
        Webhook(f"http://127.0.0.1:{free_port()}/").send(notice())


def test_a_webhook_without_a_good_secret_or_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="http"):
        Webhook("file:///etc/passwd")
    monkeypatch.setenv("REDAN_WEBHOOK_SECRET", "short")
    with pytest.raises(ConfigError, match="REDAN_WEBHOOK_SECRET"):
        Webhook("https://example.com")


def test_mail_arrives_with_every_fact(box: tuple[Box, Alerts]) -> None:
    mailbox, settings = box
    Mail(settings).send(notice(title="größer – mehr", detail="Zeile\nzwei"))
    ((secure, sender, people, content),) = mailbox.letters
    letter = email.message_from_bytes(content, policy=email.policy.default)
    assert not secure
    assert (sender, people) == ("redan@localhost", ["soc@example.com", "b@example.com"])
    assert letter["Subject"] == "[redan high] credit: größer – mehr"
    assert "redan explain RDN-THE-201" in letter.get_content()
    assert letter["Auto-Submitted"] == "auto-generated"


def test_a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(box: tuple[Box, Alerts]) -> None:
    mailbox, settings = box
    mailbox.answer = "451 later"
    with pytest.raises(Later, match="451"):
        Mail(settings).send(notice())
    mailbox.answer = "554 never"
    with pytest.raises(Undeliverable, match="554") as raised:
        Mail(settings).send(notice())
    assert type(raised.value) is Undeliverable


def authority(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Make a self-signed certificate of a host."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        key, hashes.SHA256()
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


def test_starttls_is_used_where_it_is_offered_and_a_strangers_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = authority(tmp_path, "localhost")
    mailbox = Box()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), tls_context=context)
    controller.start()
    try:
        mail = Mail(replace(Alerts(), email=("soc@example.com",), smtp=f"localhost:{controller.port}"))
        with pytest.raises(Undeliverable, match="certificate does not fit"):
            mail.send(notice())
        assert mailbox.letters == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mail.send(notice())
    finally:
        controller.stop()
    assert [secure for secure, *_ in mailbox.letters] == [True]


def test_a_password_is_never_sent_without_tls(box: tuple[Box, Alerts], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_SMTP_USER", "redan")
    monkeypatch.setenv("REDAN_SMTP_PASSWORD", "secret")
    with pytest.raises(Undeliverable, match="no TLS"):
        Mail(box[1]).send(notice())
    assert box[0].letters == []


@pytest.mark.parametrize("word", ["nobody", "a@b\r\nBcc: c@d", "", "a@é.example", "a@"])
def test_what_is_no_mail_address_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="mail address"):
        Mail(replace(Alerts(), email=(word,)))


def test_syslog_arrives_over_udp_tcp_and_a_local_socket(tmp_path: Path) -> None:
    with datagrams(socket.AF_INET, ("127.0.0.1", 0)) as udp:
        Syslog(f"udp://127.0.0.1:{udp.getsockname()[1]}").send(notice())
        assert HEAD.fullmatch(udp.recv(4096))
    with datagrams(socket.AF_UNIX, str(tmp_path / "log")) as local:
        Syslog(str(tmp_path / "log")).send(notice())
        assert HEAD.fullmatch(local.recv(4096))
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        tcp.settimeout(5)
        Syslog(f"tcp://127.0.0.1:{tcp.getsockname()[1]}").send(notice())
        with tcp.accept()[0] as stream:
            length, _, message = stream.makefile("rb").read().partition(b" ")
    assert int(length) == len(message)
    match = HEAD.fullmatch(message)
    assert match is not None
    assert int(match[1]) == 10 * 8 + 3
    assert match[2] == b"2027-01-15T08:00:00.500Z"
    assert match[5] == b"RDN-THE-201"
    assert match[7] == b"[redan high] credit: client:a asks like a thief"


def test_syslog_to_nobody_may_work_later(tmp_path: Path) -> None:
    for where in (f"tcp://127.0.0.1:{free_port()}", str(tmp_path / "none")):
        with pytest.raises(Later):
            Syslog(where).send(notice())


@pytest.mark.parametrize("where", ["localhost:514", "http://x", "udp://", "udp://x:99999", "log"])
def test_what_is_no_collector_is_refused(where: str) -> None:
    with pytest.raises(ConfigError, match="syslog"):
        Syslog(where)


def test_only_configured_channels_are_made() -> None:
    assert channels_of(Alerts()) == ()
    made = channels_of(replace(Alerts(), webhook="https://x.example", email=("a@example.com",), syslog="/dev/log"))
    assert [channel.name for channel in made] == ["webhook", "email", "syslog"]


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=600), st.sampled_from(Severity))
def test_no_words_of_a_client_become_a_header_a_field_or_a_second_message(
    title: str, subject: str, detail: str, severity: Severity
) -> None:
    hostile = "\r\nBcc: evil@example.com\r\n\r\n\x00\x1b[2J\u2028\u202e\ud800"
    found = finding(severity, title=title + hostile + '"] ', subject=hostile + subject, detail=detail, rule="RDN\n-X")
    said = notice_of(found, state="open", at_s=0, times=1, replica="a\nb")
    mail = Mail(replace(Alerts(), email=("soc@example.com",)))
    letter = email.message_from_bytes(mail.written(said).as_bytes(), policy=email.policy.default)
    assert set(letter.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    }  # fmt: skip
    assert letter["To"] == "soc@example.com"
    message = line(said, host="a b\n")
    match = HEAD.fullmatch(message)
    assert match is not None
    assert len(message) <= 2048
    assert not re.search(rb"[\x00-\x1f\x7f]", message)
    assert json.loads(encoded(said))["rule"] == "RDN -X"


def test_a_notice_that_somebody_else_made_is_as_clean(box: tuple[Box, Alerts]) -> None:
    said = notice(title="a\r\nBcc: evil@example.com", subject="b\n", fingerprint="c\r\nX: y é")
    Mail(box[1]).send(said)
    letter = email.message_from_bytes(box[0].letters[0][3], policy=email.policy.default)
    assert letter["Subject"] == "[redan high] b : a  Bcc: evil@example.com"
    assert letter["Bcc"] is None
    with hook() as receiver:
        Webhook(receiver.url).send(said)
        _, headers, _ = receiver.got.get(timeout=5)
    assert headers["Redan-Delivery"].startswith("c__X__y__")
    assert HEAD.fullmatch(line(said, host="here"))
