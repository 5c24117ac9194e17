"""What it costs to say who asks: ``python benchmarks/identity.py``.

Claims: a credential that was seen before is judged in at most 1 CPU microsecond, of which more than half is the SHA-256
that keeps secrets out of memory; an unknown key takes as long as a wrong secret to within 10 % of the median. Beside it
runs joserfc over the same tokens, which verifies each time. 300 clients, each with one key and one token, on SQLite;
user and system time of this process are counted.
"""

from __future__ import annotations

import asyncio
import json
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

from redan.core.settings import Settings
from redan.core.settings_service import Identity
from redan.evidence.store.database import Database
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.authority import Authority, open_authority
from redan.service.identity.roles import roles_of
from redan.service.identity.token_keys import jwks
from redan.service.identity.tokens import Claims, Heads, verified

CLIENTS = 300
ROUNDS = 7
PAIRS = 3000


def each_us(work: Callable[[bytes], object], headers: list[bytes]) -> float:
    """Return CPU microseconds a header: the best of some rounds, each over fresh bytes, as requests bring them."""
    best = float("inf")
    for _ in range(ROUNDS):
        fresh = [bytes(bytearray(header)) for header in headers]
        began = time.process_time()
        for header in fresh:
            work(header)
        best = min(best, (time.process_time() - began) / len(fresh))
    return best * 1e6


async def cold_us(authority: Authority, headers: list[bytes]) -> float:
    began = time.process_time()
    for header in headers:
        assert await authority.recognise(header, "192.0.2.1") is not None
    return (time.process_time() - began) / len(headers) * 1e6


def made(database: Database) -> list[tuple[str, keys.ApiKey, bytes]]:
    """Make clients, each with a key."""
    roles, found = roles_of(Identity()), []
    with database.writing() as connection:
        for i in range(CLIENTS):
            name = f"client:c{i}"
            directory.add(connection, name, by="benchmark")
            directory.grant(connection, roles, name, "client", "fraud", by="benchmark")
            key, text = keys.make(connection, name, by="benchmark")
            found.append((name, key, f"Bearer {text}".encode()))
    return found


def told_apart(authority: Authority, known: list[keys.ApiKey]) -> dict[str, float]:
    """Return median microseconds, by the clock on the wall, of an unknown key and of a wrong secret, turn by turn."""
    unknown, wrong = [], []
    for i in range(PAIRS):
        for id, times in (("a" * 12, unknown), (known[i % len(known)].id, wrong)):
            header = f"Bearer redan_{id}_{'A' * 43}".encode()
            began = time.perf_counter()
            authority.recognition.judge(header)
            times.append((time.perf_counter() - began) * 1e6)
    slower = statistics.median(w - u for u, w in zip(unknown, wrong, strict=True))
    return {
        "unknown_us": round(statistics.median(unknown), 1),
        "wrong_us": round(statistics.median(wrong), 1),
        "median_difference_us": round(slower, 1),
        "deviation_us": round(statistics.stdev(unknown), 1),
        "n": PAIRS,
    }


async def measured(root: Path) -> dict[str, object]:
    settings = replace(Settings(), identity=Identity(token_key="token.key"))
    database = open_database("service.db", root=root)
    clients = made(database)
    authority = open_authority(settings, database, root)
    await authority.start()
    by_key = [header for _, _, header in clients]
    by_token = [f"Bearer {authority.token(name, key=key.id)[0]}".encode() for name, key, _ in clients]
    cold = {"key": await cold_us(authority, by_key), "token": await cold_us(authority, by_token)}
    hot = {"key": each_us(authority.authenticate, by_key * 20), "token": each_us(authority.authenticate, by_token * 20)}
    digest = {"key": each_us(_digest, by_key * 20), "token": each_us(_digest, by_token * 20)}
    principal, ring = authority.authenticate(by_key[0]), authority.recognition.ring
    assert principal is not None
    public = OKPKey.import_key(jwks(ring.public)["keys"][0])
    result = {
        "cold_us": _rounded(cold),
        "hot_us": _rounded(hot),
        "sha256_of_it_us": _rounded(digest),
        "may_us": round(each_us(lambda _: principal.may("predict", "fraud"), by_key * 20), 2),
        "verify_us": round(each_us(lambda t: _verify(t, ring.heads), by_token)),
        "joserfc_us": round(each_us(lambda t: jwt.decode(t[7:], public, algorithms=["EdDSA"]), by_token)),
        "mint_us": round(each_us(lambda _: authority.token("client:c0"), by_key)),
        "poll_us": round(each_us(lambda _: authority._read_changes(), by_key)),
        "token_bytes": len(by_token[0]) - 7,
        "told_apart": told_apart(authority, [key for _, key, _ in clients]),
    }  # fmt: skip
    await authority.stop()
    database.close()
    return result


def _verify(header: bytes, heads: Heads) -> Claims:
    return verified(header[7:], "at+jwt", heads, issuer="redan", now_s=time.time())


def _digest(header: bytes) -> bytes:
    return sha256(header).digest()


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def main() -> int:
    # joserfc says that the algorithm's newer name is better; the older is what every reader knows
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder)))
    machine = {
        "python": platform.python_version(),
        "joserfc": version("joserfc"),
        "cryptography": version("cryptography"),
    }
    print(json.dumps({"benchmark": "identity", **found, **machine}))
    apart = found["told_apart"]
    hot = found["hot_us"]
    assert isinstance(apart, dict)
    assert isinstance(hot, dict)
    return 0 if max(hot.values()) <= 1 and apart["median_difference_us"] <= 0.1 * apart["unknown_us"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
