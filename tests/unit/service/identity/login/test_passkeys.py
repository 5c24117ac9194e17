"""Passkeys against an authenticator of our own that can lie in every field."""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from redan.core.errors import ConfigError, SignatureRefused, UsageError
from redan.evidence.store.database import Database
from redan.service.identity.login import passkeys
from redan.service.identity.login.passkeys import Challenge, Site, site_of
from redan.service.identity.login.sealing import Sealer, open_sealer

SITE = site_of("https://gateway.example", "redan")
UP, UV, AT = 1, 4, 64


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def plain(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """Makes and shows one credential; every fact can be given wrongly."""

    def __init__(self, name: bytes = b"credential one") -> None:
        self.key, self.name, self.count = ec.generate_private_key(ec.SECP256R1()), name, 0

    def client_data(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def data(self, flags: int, host: str, more: bytes = b"") -> bytes:
        return sha256(host.encode()).digest() + struct.pack(">BI", flags, self.count) + more

    def make(
        self, asked: Challenge, *, flags: int = UP | UV, origin: str = SITE.origin, host: str = SITE.host
    ) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        credential = bytes(16) + struct.pack(">H", len(self.name)) + self.name + cbor2.dumps(public)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self.data(flags | AT, host, credential)}
        client = self.client_data("webauthn.create", asked.options["challenge"], origin)
        response = {"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps(attestation))}
        return {"id": b64(self.name), "rawId": b64(self.name), "type": "public-key", "response": response}

    def show(
        self, asked: Challenge, *, flags: int = UP | UV, origin: str = SITE.origin, host: str = SITE.host,
        kind: str = "webauthn.get", challenge: str = "", count: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        self.count = self.count + 1 if count is None else count
        data = self.data(flags, host)
        client = self.client_data(kind, challenge or asked.options["challenge"], origin)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"authenticatorData": b64(data), "clientDataJSON": b64(client), "signature": b64(signature)}
        return {"id": b64(self.name), "rawId": b64(self.name), "type": "public-key", "response": response}


class Desk:
    """Registration and use over one database."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self.database, self.sealer = database, sealer

    def ask_new(self, person: str = "user:ann", bound: str = "s1") -> Challenge:
        with self.database.reading() as connection:
            return passkeys.ask_to_register(connection, self.sealer, SITE, person, bound)

    def register(self, asked: Challenge, answer: dict[str, Any], person: str = "user:ann", bound: str = "s1") -> Any:
        with self.database.writing() as connection:
            return passkeys.register(
                connection, self.sealer, SITE, person, bound, ticket=asked.ticket, answer=answer, title="t" * 500
            )

    def ask(self, person: str = "user:ann", bound: str = "s1") -> Challenge:
        with self.database.reading() as connection:
            return passkeys.ask_to_show(connection, self.sealer, SITE, person=person, bound=bound)

    def show(self, asked: Challenge, answer: dict[str, Any], person: str = "user:ann", bound: str = "s1") -> str:
        with self.database.writing() as connection:
            return passkeys.show(
                connection, self.sealer, SITE, person=person, bound=bound, ticket=asked.ticket, answer=answer
            )


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, open_sealer("file:factors.key", database, root=tmp_path))


@pytest.fixture
def mine(desk: Desk) -> Authenticator:
    made = Authenticator()
    asked = desk.ask_new()
    assert asked.options["authenticatorSelection"]["userVerification"] == "required"
    assert len(desk.register(asked, made.make(asked)).title) == 64
    return made


def test_a_registered_passkey_is_shown_and_tells_whose_it_is(desk: Desk, mine: Authenticator) -> None:
    asked = desk.ask()
    assert [one["id"] for one in asked.options["allowCredentials"]] == [b64(mine.name)]
    assert desk.show(asked, mine.show(asked)) == "user:ann"
    nameless = desk.ask(person="", bound="")
    assert nameless.options["allowCredentials"] == []
    assert desk.show(nameless, mine.show(nameless), person="", bound="") == "user:ann"


WRONG: dict[str, Callable[[Authenticator, Challenge], dict[str, Any]]] = {
    "another origin": lambda a, c: a.show(c, origin="https://evil.example"),
    "the origin with another port": lambda a, c: a.show(c, origin=SITE.origin + ":8443"),
    "another host": lambda a, c: a.show(c, host="evil.example"),
    "nobody verified": lambda a, c: a.show(c, flags=UP),
    "nobody there": lambda a, c: a.show(c, flags=UV),
    "another challenge": lambda a, c: a.show(c, challenge=b64(b"x" * 32)),
    "a registration": lambda a, c: a.show(c, kind="webauthn.create"),
    "a changed signature": lambda a, c: _with(a.show(c), signature=b64(b"0" * 70)),
    "changed data": lambda a, c: _with(a.show(c), authenticatorData=b64(a.data(UP | UV, SITE.host) + b"x")),
    "another key": lambda a, c: Authenticator(a.name).show(c),
    "an unknown credential": lambda a, c: Authenticator(b"unknown").show(c),
    "nothing": lambda a, c: {},
    "no text": lambda a, c: {"id": b64(a.name), "response": 7},
}


def _with(answer: dict[str, Any], **changed: str) -> dict[str, Any]:
    return {**answer, "response": {**answer["response"], **changed}}


@pytest.mark.parametrize("how", WRONG)
def test_what_does_not_fit_is_refused(desk: Desk, mine: Authenticator, how: str) -> None:
    asked = desk.ask()
    with pytest.raises(SignatureRefused):
        desk.show(asked, WRONG[how](mine, asked))


def test_an_answer_is_good_once_in_its_session_for_its_person(desk: Desk, mine: Authenticator) -> None:
    asked = desk.ask()
    answer = mine.show(asked)
    for person, bound in (("user:root", "s1"), ("user:ann", "s2"), ("", "")):
        with pytest.raises(SignatureRefused):
            desk.show(asked, answer, person=person, bound=bound)
    assert desk.show(asked, answer) == "user:ann"
    with pytest.raises(SignatureRefused):
        desk.show(asked, answer)


def test_a_count_that_does_not_grow_is_a_copy(desk: Desk, mine: Authenticator) -> None:
    asked = desk.ask()
    desk.show(asked, mine.show(asked, count=5))
    for count in (5, 4, 0):
        asked = desk.ask()
        with pytest.raises(SignatureRefused):
            desk.show(asked, mine.show(asked, count=count))


def test_an_authenticator_without_a_count_still_answers_once_each_time(desk: Desk) -> None:
    without = Authenticator(b"synchronised")
    asked = desk.ask_new()
    desk.register(asked, without.make(asked))
    asked = desk.ask()
    answer = without.show(asked, count=0)
    assert desk.show(asked, answer) == "user:ann"
    with pytest.raises(SignatureRefused, match="came before"):
        desk.show(asked, answer)


@pytest.mark.parametrize(
    "wrong", [{"flags": UP}, {"flags": 0}, {"origin": "https://evil.example"}, {"host": "evil.example"}]
)
def test_a_registration_that_does_not_fit_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    asked = desk.ask_new()
    with pytest.raises(SignatureRefused):
        desk.register(asked, Authenticator().make(asked, **wrong))


def test_a_registration_is_good_once_in_its_session_and_takes_no_credential_over(
    desk: Desk, mine: Authenticator
) -> None:
    asked = desk.ask_new(person="user:root", bound="s9")
    with pytest.raises(SignatureRefused):
        desk.register(asked, Authenticator(b"two").make(asked), person="user:root", bound="s1")
    with pytest.raises(SignatureRefused, match="before"):
        desk.register(asked, Authenticator(mine.name).make(asked), person="user:root", bound="s9")
    desk.register(asked, Authenticator(b"two").make(asked), person="user:root", bound="s9")
    with pytest.raises(SignatureRefused, match="before"):
        desk.register(asked, Authenticator(b"three").make(asked), person="user:root", bound="s9")


def test_a_person_has_a_bounded_number_of_passkeys_under_one_handle(desk: Desk) -> None:
    handles = set()
    for at in range(passkeys.MOST_OF_ONE):
        asked = desk.ask_new()
        handles.add(asked.options["user"]["id"])
        desk.register(asked, Authenticator(bytes([at + 1]) * 16).make(asked))
    assert len(handles) == 1
    assert plain(handles.pop()) != b""
    with pytest.raises(UsageError, match="at most"):
        desk.ask_new()


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://gateway.example", Site(origin="https://gateway.example", host="gateway.example", title="t")),
        (
            "https://gateway.example:8443/",
            Site(origin="https://gateway.example:8443", host="gateway.example", title="t"),
        ),
        ("http://localhost:8080", Site(origin="http://localhost:8080", host="localhost", title="t")),
    ],
)
def test_the_site_is_read_from_the_origin(origin: str, expected: Site) -> None:
    assert site_of(origin, "t") == expected


@pytest.mark.parametrize(
    "origin",
    ["", "gateway", "http://gateway.example", "https://gateway.example/path", "https://g.example?x", "ftp://localhost"],
)
def test_what_is_no_safe_origin_is_told(origin: str) -> None:
    with pytest.raises(ConfigError):
        site_of(origin, "t")
