"""What a running gateway measured of a canary: asked over HTTP, since each replica counts for itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from redan.core.addresses import keeps_secrets
from redan.core.errors import ConfigError, EvidenceError
from redan.service.registry.serving import digest_of

if TYPE_CHECKING:
    from redan.core.settings_service import Update
    from redan.service.registry.opening import Registry

_TIMEOUT_S = 10.0
_MOST_BYTES = 1 << 20


class _Number(msgspec.Struct):
    name: str
    n: int
    value: float | None
    low: float | None


class _Pair(msgspec.Struct):
    live_digest: str
    other_digest: str
    numbers: list[_Number]


class _Comparisons(msgspec.Struct):
    compared: list[_Pair]


class Agreed(NamedTuple):
    """Lower end of the 95 % interval of how often a canary and the live version agree, and on how many rows."""

    low: float
    n: int


def agreement(wanted: Update, registry: Registry, name: str, version: str) -> Agreed | None:
    """Ask the gateway how often two versions of the registry answered alike; None where it compared other bytes.

    A batch that one of them could not answer counts as no agreement at all.

    Args:
        wanted: with the gateway's address, and where the token is.
        registry: says which bytes are meant.
        name: of the model, at the gateway too.
        version: the canary's.

    Raises:
        ConfigError: no address, one where others could read the token, or no token.
        EvidenceError: the gateway does not answer, or refuses.
    """
    history = registry.history(name)
    if history.live is None:
        return None
    digests = digest_of(history.live), digest_of(history.version(version))
    for pair in _asked(wanted, name).compared:
        if (pair.live_digest, pair.other_digest) == digests:
            numbers = {each.name: each for each in pair.numbers}
            agreed, failed = numbers["agreement"], numbers["failed_batches"]
            return Agreed(0.0 if failed.n or agreed.low is None else agreed.low, agreed.n)
    return None


def _asked(wanted: Update, name: str) -> _Comparisons:
    url = f"{_address(wanted.gateway)}/v1/models/{quote(name, safe='')}/comparison"
    headers = {"Authorization": f"Bearer {_token(wanted.token_env)}"}
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise EvidenceError(f"{wanted.gateway} answered more than {_MOST_BYTES >> 20} MiB")
    except httpx.HTTPError as err:
        raise EvidenceError(
            f"the gateway at {wanted.gateway} does not answer: {type(err).__name__}", hint="redan serve"
        ) from err
    if response.status_code != 200:
        raise EvidenceError(
            f"the gateway at {wanted.gateway} answered with status {response.status_code}; expected 200",
            hint=f"the token in {wanted.token_env} needs models.read for {name}",
        )
    try:
        return msgspec.json.decode(body, type=_Comparisons)
    except msgspec.DecodeError as err:
        raise EvidenceError(f"{wanted.gateway} answered something that is no comparison: {err}") from err


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ConfigError(
            f"[registry.update] gateway is {url!r}; expected an address without a password",
            hint='such as "https://gateway.example.com"',
        )
    if not keeps_secrets(url):
        raise ConfigError(
            f"[registry.update] gateway is {url!r}: the token would cross the network in the clear",
            hint="use https://, or http:// to this machine alone",
        )
    return url.rstrip("/")


def _token(name: str) -> str:
    token = os.environ.get(name, "")
    if not token.isascii() or not token.isprintable() or not token:
        raise ConfigError(
            f"the environment variable {name!r} holds no token", hint="redan identity key new client:NAME"
        )
    return token
