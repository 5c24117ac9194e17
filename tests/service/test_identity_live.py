"""Identity in the whole service: what a key and a token open, how soon a revocation counts, what guessing leads to."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
from tests.served import rows, served, settings_for

from redan.core.config import Config
from redan.core.settings_service import Identity
from redan.service.assembly import Service, assemble
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.lockout import ADDRESS
from redan.service.identity.roles import roles_of

NAME = "fraud"


def client(service: Service, text: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=service.plane)
    return httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers={"Authorization": f"Bearer {text}"}
    )


async def status(http: httpx.AsyncClient, name: str = NAME) -> int:
    answer = await http.post(f"/v1/models/{name}/predict", json={"x": rows()[0][:1].tolist()})
    return answer.status_code


def test_keys_and_tokens_open_what_they_should_until_another_process_revokes_them(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, served(tmp_path, "sklearn", name=NAME))

    async def work() -> None:
        service = assemble(Config(settings=settings, origins={}, root=tmp_path, file=None))
        # what another process does: a database of its own over the same file
        other = open_database(settings.serve.database, root=tmp_path)
        with other.writing() as connection:
            directory.add(connection, "client:shop", by="test")
            directory.grant(connection, roles_of(Identity()), "client:shop", "client", NAME, by="test")
            key, text = keys.make(connection, "client:shop", by="test")
            _, second = keys.make(connection, "client:shop", by="test")
            _, third = keys.make(connection, "client:shop", by="test")
        async with service, client(service, text) as by_key, client(service, second) as by_second:
            assert await status(by_key) == 200
            # a model that is not there and one that is not theirs look the same
            assert [await status(by_key, name) for name in ("churn", "nothing")] == [403, 403]
            given = await by_key.post("/v1/tokens", json={"scope": f"predict:{NAME}"})
            async with client(service, given.json()["access_token"]) as by_token:
                assert await status(by_token) == 200
                assert (await by_token.get("/v1/identity/clients")).status_code == 403
                with other.writing() as connection:
                    keys.revoke(connection, key.id)
                began_s = time.monotonic()
                while await status(by_token) == 200 or await status(by_key) == 200:
                    assert time.monotonic() - began_s < 1
                    await asyncio.sleep(0.01)
                assert (await status(by_token), await status(by_key)) == (401, 401)
            assert await status(by_second) == 200
            guesses = []
            for i in range(ADDRESS.free + 2):
                async with client(service, f"redan_{i:012d}_{'A' * 43}") as guess:
                    guesses.append(await guess.post(f"/v1/models/{NAME}/predict", json={"x": []}))
            assert {(guess.status_code, guess.text) for guess in guesses} == {(401, guesses[0].text)}
            # the address is locked out for what it did not show before, and goes on with what it did
            async with client(service, third) as by_third:
                assert await status(by_third) == 401
            assert await status(by_second) == 200
        other.close()

    asyncio.run(work())
