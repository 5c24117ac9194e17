"""What is sealed, spent once, and stored as digests, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.login_house import code

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.evidence.encryption.sources import make_key
from redan.evidence.store.database import Database
from redan.service.identity import directory
from redan.service.identity.login import factors, recovery, totp
from redan.service.identity.login.sealing import Sealer, open_sealer, sealer_of, spend
from redan.service.identity.login.tables import data_keys, recovery_codes, spent

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def sealer(database: Database, tmp_path: Path) -> Sealer:
    return open_sealer("file:keys/factors.key", database, root=tmp_path)


def test_replicas_share_one_data_key_that_the_database_alone_does_not_tell(
    database: Database, sealer: Sealer, tmp_path: Path
) -> None:
    again = open_sealer("file:keys/factors.key", database, root=tmp_path)
    assert again.open(sealer.seal(b"x", "p"), "p") == b"x"
    assert (tmp_path / "keys/factors.key").stat().st_mode & 0o077 == 0
    with pytest.raises(Unreadable, match="seals the second factors") as lost:
        open_sealer("file:lost.key", database, root=tmp_path)
    assert "factor_key must be the same at every replica" in lost.value.hint
    assert not (tmp_path / "lost.key").exists(), "a new key would open nothing"
    make_key("file:other.key", root=tmp_path)
    with pytest.raises(EvidenceError, match="second factors in the database are sealed under key") as other:
        open_sealer("file:other.key", database, root=tmp_path)
    assert "factor_key" in other.value.hint
    with database.reading() as connection:
        assert len(connection.execute(data_keys.select()).all()) == 1


def test_a_key_that_others_can_read_is_refused(database: Database, sealer: Sealer, tmp_path: Path) -> None:
    (tmp_path / "keys/factors.key").chmod(0o644)
    with pytest.raises(Unreadable, match="read by others"):
        open_sealer("file:keys/factors.key", database, root=tmp_path)


def test_a_ticket_is_good_for_its_purpose_and_its_time(sealer: Sealer) -> None:
    ticket = sealer.ticket({"a": 1}, "one", ttl_s=60)
    assert sealer.facts(ticket, "one")[0] == {"a": 1}
    for wrong, purpose in ((ticket, "two"), (ticket[:-2], "one"), ("", "one"), ("é", "one"), ("A" * 5000, "one")):
        with pytest.raises(SignatureRefused):
            sealer.facts(wrong, purpose)
    with pytest.raises(SignatureRefused, match="too old"):
        sealer.facts(sealer.ticket({}, "one", ttl_s=-1), "one")


def test_a_ticket_has_one_spelling_so_that_it_is_spent_once(sealer: Sealer) -> None:
    # base64 reads past odd characters, padding and unused bits: each would be another text for the same ticket
    for length in range(3):
        ticket = sealer.ticket({"n": "x" * length}, "login", ttl_s=60)
        last = ALPHABET[ALPHABET.index(ticket[-1]) ^ 1]
        for other in (f"{ticket}!", f"!{ticket}", f"{ticket}=", f"{ticket}====", f"{ticket[:9]}\n{ticket[9:]}",
                      ticket[:-1] + last):  # fmt: skip
            with pytest.raises(SignatureRefused):
                sealer.facts(other, "login")
        assert sealer.facts(ticket, "login")[0] == {"n": "x" * length}


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_changed_bit_is_accepted(at: int, bit: int) -> None:
    sealer = sealer_of(b"k" * 32)
    sealed = bytearray(sealer.seal(b"twenty bytes of secret", "p").encode())
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(SignatureRefused):
        sealer.open(sealed.decode("latin-1"), "p")


def test_a_pseudonym_is_one_of_this_gateway_and_cannot_be_tried_without_its_key(
    database: Database, tmp_path: Path
) -> None:
    sealer, again = (open_sealer("file:factors.key", database, root=tmp_path) for _ in range(2))
    typed = "correct horse battery"
    assert sealer.pseudonym(typed) == again.pseudonym(typed) != sealer.pseudonym("correct horse batterz")
    assert sealer_of(b"k" * 32).pseudonym(typed) != sealer_of(b"l" * 32).pseudonym(typed)
    plain = (sha256(typed.encode()).hexdigest(), hmac.digest(b"", typed.encode(), sha256).hex())
    assert not any(text.startswith(sealer.pseudonym(typed)) for text in plain)
    # not even who has what it seals: the key of names is not that of the cipher
    assert hmac.digest(b"k" * 32, typed.encode(), sha256).hex()[:16] != sealer_of(b"k" * 32).pseudonym(typed)


def test_two_at_once_spend_once(new_service: Callable[[str], Database], kind: str) -> None:
    database = new_service(kind)

    def use(_: int) -> bool:
        with database.writing() as connection:
            return spend(connection, "token", time.time() + 60)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(8))) == 1


def test_what_was_spent_is_forgotten_when_it_ended(database: Database) -> None:
    with database.writing() as connection:
        assert spend(connection, "old", time.time() - 1)
        assert spend(connection, "new", time.time() + 60)
        assert len(connection.execute(spent.select()).all()) == 1


def test_two_at_once_with_one_code_let_one_in(
    new_service: Callable[[str], Database], kind: str, tmp_path: Path
) -> None:
    database = new_service(kind)
    sealer = open_sealer("file:factors.key", database, root=tmp_path)
    offer = totp.offer(sealer, "user:eve", "redan")
    with database.writing() as connection:
        directory.add(connection, "user:eve", by="test")
        codes = factors.enrol_totp(connection, sealer, "user:eve", offer.ticket, code(offer.secret, steps=-1))
    shown = code(offer.secret)

    def use_code(_: int) -> bool:
        with database.writing() as connection:
            return totp.take(connection, sealer, "user:eve", shown)

    def use_recovery(_: int) -> bool:
        with database.writing() as connection:
            return recovery.take_code(connection, "user:eve", codes[0])

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(use_code, range(6))) == 1
        assert sum(threads.map(use_recovery, range(6))) == 1


@pytest.mark.parametrize("shift_s", [-61, -30, 0, 30, 61])
def test_a_code_may_be_one_step_off(
    database: Database, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, shift_s: int
) -> None:
    offer = totp.offer(sealer, "user:ann", "redan")
    now = 1_800_000_015.0
    import pyotp

    monkeypatch.setattr(time, "time", lambda: now - 3600)
    offer = totp.offer(sealer, "user:ann", "redan")
    with database.writing() as connection:
        assert totp.enrol(connection, sealer, "user:ann", offer.ticket, pyotp.TOTP(offer.secret).at(int(now - 3600)))
        monkeypatch.setattr(time, "time", lambda: now)
        shown = pyotp.TOTP(offer.secret).at(int(now + shift_s))
        assert totp.take(connection, sealer, "user:ann", shown) is (abs(shift_s) <= 30)


@pytest.mark.parametrize(
    "wrong", ["", "12345", "1234567", "１２３４５６", "abcdef", "000000\n", "-00001", "0" * 10_000]
)
def test_what_is_no_code_fits_nothing(database: Database, sealer: Sealer, wrong: str) -> None:
    offer = totp.offer(sealer, "user:ann", "redan")
    with database.writing() as connection:
        assert totp.enrol(connection, sealer, "user:ann", offer.ticket, code(offer.secret, steps=-1))
        assert not totp.take(connection, sealer, "user:ann", wrong)
        assert not recovery.take_code(connection, "user:ann", wrong)


def test_recovery_codes_lie_as_digests_and_new_ones_void_the_old(database: Database) -> None:
    with database.writing() as connection:
        old, new = recovery.new_codes(connection, "user:ann"), recovery.new_codes(connection, "user:ann")
        rows = repr(connection.execute(recovery_codes.select()).all())
        assert not any(shown in rows or shown.replace("-", "").upper() in rows for shown in new)
        assert not recovery.take_code(connection, "user:ann", old[0])
        assert not recovery.take_code(connection, "user:root", new[0]), "another's code"
        assert recovery.take_code(connection, "user:ann", new[0])
        assert recovery.codes_left(connection, "user:ann") == 9


def test_a_picture_is_for_terminals_too_and_records_tell_no_secret(sealer: Sealer) -> None:
    offer = totp.offer(sealer, "user:ann", "Redan")
    assert offer.secret not in repr(offer)
    assert offer.text().count("\n") > 15
    assert "<script" not in offer.svg()


def test_an_administrator_takes_every_factor_away(database: Database, sealer: Sealer) -> None:
    offer = totp.offer(sealer, "user:ann", "redan")
    with database.writing() as connection:
        factors.set_password(connection, "user:ann", "zebra kiln ochre")
        factors.enrol_totp(connection, sealer, "user:ann", offer.ticket, code(offer.secret))
        assert factors.factors_of(connection, "user:ann").second
        factors.reset_factors(connection, "user:ann")
        left = factors.factors_of(connection, "user:ann")
    assert (left.password, left.second, left.recovery_left) == (True, False, 0)
