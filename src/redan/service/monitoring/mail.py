"""Alerts by e-mail, over TLS wherever the server offers it."""

from __future__ import annotations

import os
import smtplib
import ssl
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from redan.core.errors import ConfigError
from redan.service.monitoring.channel import Later, Undeliverable

if TYPE_CHECKING:
    from redan.core.settings_service import Alerts
    from redan.service.monitoring.notice import Notice

USER, PASSWORD = "REDAN_SMTP_USER", "REDAN_SMTP_PASSWORD"  # the variables' names
_TIMEOUT_S = 10.0


class Mail:
    """Writes to a list of people through one server.

    STARTTLS is used when the server offers it, and its certificate must then fit (authorities: ``SSL_CERT_FILE``).
    With a user and password in the environment, nothing is sent without TLS.

    Args:
        settings: ``email``, ``sender`` and ``smtp``.

    Raises:
        ConfigError: an address or the server's name does not fit.
    """

    name = "email"

    def __init__(self, settings: Alerts) -> None:
        self._sender = _address(settings.sender)
        self._people = tuple(_address(word) for word in settings.email)
        host, colon, port = settings.smtp.rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ConfigError(f"[alerts] smtp is {settings.smtp!r}; expected HOST:PORT", hint='smtp = "localhost:25"')
        self._host, self._port = host.strip("[]"), int(port)
        self._user, self._password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")

    def send(self, notice: Notice) -> None:
        """Write a notice to everybody; blocks for seconds at most.

        Raises:
            Later: the server cannot be reached or says to come back.
            Undeliverable: the server refuses, or its certificate does not fit.
        """
        message = self.written(notice)
        try:
            with smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S) as server:
                self._secure(server)
                server.send_message(message, self._sender.addr_spec, [person.addr_spec for person in self._people])
        except ssl.SSLCertVerificationError as err:
            raise Undeliverable(f"the server's certificate does not fit: {err.verify_message}") from None
        except smtplib.SMTPResponseException as err:
            raise (Later if 400 <= err.smtp_code < 500 else Undeliverable)(f"answered {err.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as err:
            codes = sorted({code for code, _ in err.recipients.values()})
            raise (Later if all(400 <= code < 500 for code in codes) else Undeliverable)(
                f"refused every recipient: {codes}"
            ) from None
        except (smtplib.SMTPException, OSError) as err:
            raise Later(f"not sent: {type(err).__name__}") from None

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif self._user:
            raise Undeliverable("the server offers no TLS, so the password stays here")
        if self._user:
            server.login(self._user, self._password)

    def written(self, notice: Notice) -> EmailMessage:
        """Return the message, built by the standard library from fields that hold no line end."""
        message = EmailMessage(policy=SMTP)
        try:
            message["Subject"] = notice.headline[:200]
            message["From"] = self._sender
            message["To"] = self._people
            message["Date"] = format_datetime(datetime.fromtimestamp(notice.at_s, UTC))
            message["Message-ID"] = f"<{notice.id}@redan.invalid>"
            message["Auto-Submitted"] = "auto-generated"
        except (ValueError, MessageError) as err:
            raise Undeliverable(f"no message can be made of it: {type(err).__name__}") from None
        message.set_content(_text(notice))
        return message


def _text(notice: Notice) -> str:
    found = datetime.fromtimestamp(notice.at_s, UTC).isoformat(timespec="seconds")
    lines = [
        notice.title, "",
        f"State:       {notice.state}",
        f"Severity:    {notice.severity.word}",
        f"Rule:        {notice.rule} ({notice.threat})",
        f"Subject:     {notice.subject}",
        f"Found:       {found}, {notice.times} times since the first message",
        f"Replica:     {notice.replica}",
        f"Fingerprint: {notice.fingerprint}", "",
        notice.detail, "",
        f"What the rule means: redan explain {notice.rule}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _address(word: str) -> Address:
    try:
        address = Address(addr_spec=word)
    except (ValueError, IndexError, MessageError):
        address = Address()
    if not address.domain or not word.isascii():
        raise ConfigError(f"[alerts] {word!r} is no mail address", hint="write name@example.com")
    return address
