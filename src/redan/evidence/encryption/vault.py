"""Keys in HashiCorp Vault: transit, where the key never leaves it, and KV version 2, where it is fetched.

Address and token are Vault's own ``VAULT_ADDR`` and ``VAULT_TOKEN``. Source: Vault's HTTP API, secrets engines transit
(encrypt, decrypt, read key; associated data of AEAD keys) and KV version 2 (read secret version).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from redan.core.addresses import keeps_secrets
from redan.core.errors import ConfigError, MissingDependency, SignatureRefused, Unreadable
from redan.evidence.encryption.wrapping import LocalKey, local_key

Answer = TypeVar("Answer")
TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TransitKey:
    """A named key of the transit engine; Vault wraps and unwraps, this process never sees the key.

    Attributes:
        client: an hvac client.
        mount: where the engine is mounted.
        name: of the key.
        version: the newest version, which wraps; older ones still unwrap.
    """

    client: Any
    mount: str
    name: str
    version: int

    @property
    def key_id(self) -> str:
        """Mount, name and version."""
        return f"{self._stem}{self.version}"

    @property
    def _stem(self) -> str:
        return f"vault-transit:{self.mount}/{self.name}:v"

    def wrap(self, data_key: bytes, context: str) -> str:
        """Return Vault's cipher text of the data key.

        Raises:
            Unreadable: Vault does not answer, or refuses.
        """
        answer = _asked(
            lambda: self.client.secrets.transit.encrypt_data(
                name=self.name,
                mount_point=self.mount,
                plaintext=_text(data_key),
                associated_data=_text(context.encode()),
                key_version=self.version,
            )
        )
        return str(answer["data"]["ciphertext"])

    def unwrap(self, wrapped: str, context: str) -> bytes:
        """Return the data key.

        Raises:
            SignatureRefused: Vault says that the cipher text does not fit key and context.
            Unreadable: Vault does not answer.
        """
        from hvac.exceptions import InvalidRequest

        try:
            answer = _asked(
                lambda: self.client.secrets.transit.decrypt_data(
                    name=self.name,
                    mount_point=self.mount,
                    ciphertext=wrapped,
                    associated_data=_text(context.encode()),
                )
            )
        except Unreadable as err:
            if isinstance(err.__cause__, InvalidRequest):
                raise SignatureRefused(f"a wrapped data key was changed, or is not of {self._stem}…") from err
            raise
        return b64decode(answer["data"]["plaintext"])

    def knows(self, key_id: str) -> bool:
        """Tell whether the name is one of this key's versions."""
        return key_id.startswith(self._stem)


def transit_key(rest: str) -> TransitKey:
    """Find a key of the transit engine by MOUNT/KEY.

    Raises:
        ConfigError: there is no mount in the words, or others could read what Vault is sent.
        Unreadable: Vault does not answer, or has no such key.
    """
    mount, _, name = rest.rpartition("/")
    if not mount or not name:
        raise ConfigError(f"vault-transit:{rest} names no mount and key", hint="write vault-transit:transit/redan")
    client = _client()
    answer = _asked(lambda: client.secrets.transit.read_key(name=name, mount_point=mount))
    return TransitKey(client=client, mount=mount, name=name, version=int(answer["data"]["latest_version"]))


def kv_key(rest: str) -> LocalKey:
    """Fetch a key of 32 bytes in base64 from the KV engine, version 2, by MOUNT/PATH#FIELD.

    Raises:
        ConfigError: the words lack a part, or others could read what Vault is sent.
        Unreadable: Vault does not answer, or there is no key at that place.
    """
    place, _, field = rest.partition("#")
    mount, _, path = place.partition("/")
    if not mount or not path or not field:
        raise ConfigError(f"vault-kv:{rest} lacks a part", hint="write vault-kv:secret/redan#key")
    client = _client()
    answer = _asked(
        lambda: client.secrets.kv.v2.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True)
    )
    return local_key(str(answer["data"]["data"].get(field, "")), f"Vault's {place}, field {field!r},")


def _client() -> Any:
    try:
        import hvac
    except ImportError as err:
        raise MissingDependency.of("hvac", "store", "a key in Vault") from err
    client = hvac.Client(timeout=TIMEOUT_S)
    if not keeps_secrets(client.url):
        raise ConfigError(
            f"VAULT_ADDR is {client.url}: token and keys would cross the network in the clear",
            hint="use https://, or http:// to this machine alone",
        )
    return client


def _asked(question: Callable[[], Answer]) -> Answer:
    from hvac.exceptions import VaultError

    try:
        return question()
    except (VaultError, OSError) as err:  # what the HTTP library raises is an OSError
        raise Unreadable(
            f"Vault did not give what was asked: {type(err).__name__}", hint="check VAULT_ADDR, VAULT_TOKEN and policy"
        ) from err


def _text(data: bytes) -> str:
    return b64encode(data).decode()
