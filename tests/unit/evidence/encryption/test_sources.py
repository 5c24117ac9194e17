"""Keys from files, the environment, keyrings and Vault: who may read them, and what is said when they are not there."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from tests.unit.evidence.encryption.fake_vault import TOKEN, FakeVault, serving

from redan.core.errors import ConfigError, EvidenceError, RedanError, SignatureRefused, Unreadable, UsageError
from redan.evidence.encryption.sources import key_from, make_key
from redan.evidence.encryption.wrapping import LocalKey, holder, new_key_text

DATA_KEY = bytes(32)


class Remembering(KeyringBackend):
    """A keyring in memory; the system's own needs a desktop."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def backend() -> Iterator[Remembering]:
    before, backend = keyring.get_keyring(), Remembering()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVault]:
    with serving() as fake:
        monkeypatch.setenv("VAULT_ADDR", fake.address)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield fake


def test_a_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    assert make_key("file:store.key", root=tmp_path)
    file = tmp_path / "store.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = key_from("file:store.key", root=tmp_path)
    assert not make_key("file:store.key", root=tmp_path)
    again = key_from(f"file:{file}", root=Path("/nowhere"))
    assert again.key_id == first.key_id
    assert again.unwrap(first.wrap(DATA_KEY, "c"), "c") == DATA_KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_key("file:store.key", root=tmp_path)
    (tmp_path / "store.key").chmod(mode)
    with pytest.raises(Unreadable, match="can be read by others") as refused:
        key_from("file:store.key", root=tmp_path)
    assert refused.value.hint.startswith("chmod 600")


@pytest.mark.parametrize("text", ["", "AAAA", "not base64 §", "A" * 43, "A" * 4000])
def test_what_is_no_key_is_refused_without_printing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "store.key"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(Unreadable, match="holds no key; expected 32 bytes in base64") as refused:
        key_from("file:store.key", root=tmp_path)
    assert not text or text not in refused.value.diagnostics()


@pytest.mark.parametrize("source", ["vault-kv:secret/redan#key", "vault-transit:transit/redan"])
def test_vault_is_not_asked_where_others_read_along(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://192.0.2.1:8200")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with pytest.raises(ConfigError, match="in the clear") as refused:
        key_from(source, root=tmp_path)
    assert TOKEN not in refused.value.diagnostics()


def test_a_key_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STORE_KEY", new_key_text())
    key = key_from("env:STORE_KEY", root=tmp_path)
    assert key.unwrap(key.wrap(DATA_KEY, "c"), "c") == DATA_KEY
    monkeypatch.delenv("STORE_KEY")
    with pytest.raises(Unreadable, match="the environment has no STORE_KEY"):
        key_from("env:STORE_KEY", root=tmp_path)


def test_a_key_in_the_keyring_is_made_once(backend: Remembering, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="the system's keyring has no 'main' of 'redan'"):
        key_from("keyring:redan/main", root=tmp_path)
    assert make_key("keyring:redan/main", root=tmp_path)
    assert not make_key("keyring:redan/main", root=tmp_path)
    assert len(backend.held) == 1
    key = key_from("keyring:redan/main", root=tmp_path)
    assert key.unwrap(key.wrap(DATA_KEY, "c"), "c") == DATA_KEY


def test_a_machine_without_a_keyring_says_so(backend: Remembering, tmp_path: Path) -> None:
    keyring.set_keyring(NoKeyring())
    with pytest.raises(Unreadable, match="the system's keyring does not answer"):
        key_from("keyring:redan/main", root=tmp_path)


@pytest.mark.parametrize(
    "source",
    ["", "store.key", "file:", "s3:x", "keyring:redan", "vault-transit:redan", "vault-kv:secret/x", "vault-kv:x#y"],
)
def test_a_source_of_no_known_form_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError) as refused:
        key_from(source, root=tmp_path)
    assert refused.value.hint.startswith("write ")


def test_a_key_cannot_be_made_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the key"):
        make_key("file:no/such/folder/key", root=tmp_path)


def test_transit_wraps_and_unwraps_without_showing_its_key(vault: FakeVault, tmp_path: Path) -> None:
    key = key_from("vault-transit:transit/redan", root=tmp_path)
    wrapped = key.wrap(DATA_KEY, "object a")
    assert wrapped.startswith("vault:v1:")
    assert key.key_id == "vault-transit:transit/redan:v1"
    assert key.unwrap(wrapped, "object a") == DATA_KEY
    with pytest.raises(SignatureRefused, match="was changed, or is not of"):
        key.unwrap(wrapped, "object b")


def test_an_older_version_of_a_transit_key_still_unwraps(vault: FakeVault, tmp_path: Path) -> None:
    old = key_from("vault-transit:transit/redan", root=tmp_path)
    wrapped = old.wrap(DATA_KEY, "c")
    vault.rotate("redan")
    new = key_from("vault-transit:transit/redan", root=tmp_path)
    assert new.key_id == "vault-transit:transit/redan:v2"
    assert holder([new], old.key_id).unwrap(wrapped, "c") == DATA_KEY
    assert new.wrap(DATA_KEY, "c").startswith("vault:v2:")


def test_a_key_in_vaults_kv(vault: FakeVault, tmp_path: Path) -> None:
    vault.secrets["redan/store"] = {"key": new_key_text()}
    key = key_from("vault-kv:secret/redan/store#key", root=tmp_path)
    assert isinstance(key, LocalKey)
    with pytest.raises(Unreadable, match="holds no key"):
        key_from("vault-kv:secret/redan/store#other", root=tmp_path)
    with pytest.raises(Unreadable, match="Vault did not give what was asked: InvalidPath"):
        key_from("vault-kv:secret/nothing#key", root=tmp_path)


def test_vault_that_refuses_or_is_away_is_told_apart_from_a_wrong_key(
    vault: FakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_from("vault-transit:transit/redan", root=tmp_path)
    wrapped = key.wrap(DATA_KEY, "c")
    monkeypatch.setenv("VAULT_TOKEN", "stolen")
    with pytest.raises(Unreadable, match="Forbidden"):
        key_from("vault-transit:transit/redan", root=tmp_path)
    vault.close()
    with pytest.raises(Unreadable, match="Vault did not give what was asked"):
        key.unwrap(wrapped, "c")


def test_only_a_key_at_hand_unwraps() -> None:
    mine, other = LocalKey(bytes(32)), LocalKey(bytes([1] * 32))
    assert holder([other, mine], mine.key_id) is mine
    with pytest.raises(
        EvidenceError, match=f"encrypted under key {mine.key_id}, and the keys at hand are: {other.key_id}"
    ):
        holder([other], mine.key_id)
    with pytest.raises(RedanError, match="at hand are: none"):
        holder([], mine.key_id)
