"""The routes of identity behind the real table of routes: permission, keys, tokens, reviews."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.service.identity.conftest import ROLES

from redan.core.errors import EvidenceError
from redan.core.settings import Settings
from redan.evidence.store.database import Database
from redan.service.audit.act import Act
from redan.service.findings import Findings
from redan.service.identity import directory, handlers, keys
from redan.service.identity.authority import Authority, bound, open_authority
from redan.service.identity.endpoints import ENDPOINTS
from redan.service.identity.lockout import PAIR
from redan.service.parts import Parts
from redan.service.web.app import web_app


class Quiet:
    """Takes whatever it is shown and refuses nothing; acts are kept to look at."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    def commit(self, acts: list[Act]) -> None:
        self.acts += acts

    def healthy(self) -> bool:
        return True

    def take(self, client: str, rows: int) -> None:
        return None

    def refused(self, route: str, refusal: object) -> None:
        return None

    def denied(self, act: Act) -> None:
        return None


class Gateway:
    """A client of the routes, and what is behind them."""

    def __init__(self, http: httpx.AsyncClient, authority: Authority, quiet: Quiet, database: Database) -> None:
        self.http, self.authority, self.acts, self.database = http, authority, quiet.acts, database

    async def ask(
        self, method: str, path: str, credential: str = "", body: Any = None, *, confirm: tuple[str, str] | None = None
    ) -> httpx.Response:
        """Ask a route; ``confirm`` is (who, action) of a one-time confirmation that comes along."""
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        request = self.http.build_request(method, path, headers=headers, json=body)
        if confirm is not None:
            who = await self.authority.recognise(f"Bearer {credential}".encode(), "127.0.0.1")
            assert who is not None
            resource = bound(path, sha256(request.content).hexdigest())
            request.headers["Redan-Confirmation"] = self.authority.confirmation(who, confirm[1], resource)
        return await self.http.send(request)

    async def write(self, path: str, credential: str, body: Any = None) -> httpx.Response:
        return await self.ask("POST", path, credential, body, confirm=("", "identity.write"))

    def key(self, subject: str, **given: Any) -> str:
        with self.database.writing() as connection:
            return keys.make(connection, subject, by="test", **given)[1]


@pytest.fixture
def run(
    settings: Settings, database: Database, tmp_path: Path
) -> Callable[[Callable[[Gateway], Awaitable[None]]], None]:
    def call(work: Callable[[Gateway], Awaitable[None]]) -> None:
        async def whole() -> None:
            authority, quiet = open_authority(settings, database, tmp_path), Quiet()
            parts: Any = Parts(
                settings=settings, root=tmp_path, replica="one", database=database, findings=Findings(),
                authority=authority, limiter=quiet, auditor=quiet, models=None, recorder=quiet, watching=quiet, more={},
            )  # fmt: skip
            await authority.start()
            transport = httpx.ASGITransport(app=web_app(parts, ENDPOINTS))
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
                await work(Gateway(http, authority, quiet, database))
            await authority.stop()

        asyncio.run(whole())

    return call


Run = Callable[[Callable[[Gateway], Awaitable[None]]], None]


def test_who_may_not_gets_nothing_from_any_route(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        shop = gateway.key("client:shop")
        for row in ENDPOINTS:
            path = row.path.replace("{id}", "client:shop").replace("{jti}", "abc")
            if row.path == "/v1/tokens/keys":
                continue
            body = {} if row.path == "/v1/tokens" else None
            assert (await gateway.ask(row.method, path, body=body)).status_code == 401, row.path
            assert not gateway.acts[-1].ok
            if row.path != "/v1/tokens":
                assert (await gateway.ask(row.method, path, shop, body)).status_code == 403, row.path
                assert (gateway.acts[-1].who, gateway.acts[-1].ok) == ("client:shop", False)

    run(work)


def test_every_change_needs_a_fresh_confirmation(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        root = gateway.key("user:root")
        for row in ENDPOINTS:
            if row.action == "identity.write":
                path = row.path.replace("{id}", "client:shop").replace("{jti}", "abc")
                answer = await gateway.ask(row.method, path, root)
                assert (answer.status_code, answer.json()["error"]) == (403, "step-up"), row.path

    run(work)


def test_a_key_is_exchanged_for_a_token_that_gives_less_and_ends_with_it(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        text = gateway.key("user:ann")
        answer = await gateway.ask(
            "POST", "/v1/tokens", text, {"scope": "models.read:fraud identity.self", "ttl_s": 60}
        )
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        given = answer.json()
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 60)
        assert given["scope"] == "identity.self:* models.read:fraud"
        token = given["access_token"]
        me = (await gateway.ask("GET", "/v1/identity/self", token)).json()
        assert (me["id"], me["scope"], me["credential"]) == ("user:ann", given["scope"], f"token:{given['jti']}")
        assert me["expires_s"] - time.time() < 61
        again = await gateway.ask("POST", "/v1/tokens", token, {})
        assert again.status_code == 403
        unknown = await gateway.ask("POST", "/v1/tokens", text, {"scope": "fly"})
        assert unknown.status_code == 404
        assert (await gateway.ask("POST", "/v1/tokens/revoke", token)).status_code == 204
        gateway.authority._heard(await asyncio.to_thread(gateway.authority._read_changes))
        assert (await gateway.ask("GET", "/v1/identity/self", token)).status_code == 401
        assert all(text not in str(act) and token not in str(act) for act in gateway.acts)

    run(work)


def test_an_administrator_manages_programs(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        root = gateway.key("user:root")
        made = await gateway.write("/v1/identity/clients", root, {"name": "till", "title": "a till"})
        assert (made.status_code, made.json()["id"]) == (201, "client:till")
        given = await gateway.write(
            "/v1/identity/grants", root, {"subject": "client:till", "role": "client", "model": "fraud"}
        )
        assert given.json() == {"mind": []}
        made = await gateway.write("/v1/identity/keys", root, {"subject": "client:till", "ttl_s": 3600})
        key = made.json()
        assert (await gateway.ask("POST", "/v1/tokens", key["secret"], {})).status_code == 200
        rotated = (await gateway.write(f"/v1/identity/keys/{key['key']['id']}/rotate", root, {"overlap_s": 0})).json()
        assert rotated["secret"] != key["secret"]
        assert (await gateway.write(f"/v1/identity/keys/{rotated['key']['id']}/revoke", root)).status_code == 204
        listed = (await gateway.ask("GET", "/v1/identity/clients?after=client:shop", root)).json()
        assert [subject["id"] for subject in listed] == ["client:till"]
        assert (await gateway.write("/v1/identity/subjects/client:till/disable", root)).status_code == 204
        roles = (await gateway.ask("GET", "/v1/identity/roles", root)).json()
        assert {"client", "administrator"} <= {role["name"] for role in roles}
        done = [act.more["did"] for act in gateway.acts if act.ok and act.more and "did" in act.more]
        assert done == [
            "subject added",
            "role given",
            "key made",
            "token given",
            "key rotated",
            "key revoked",
            "disabled",
        ]

    run(work)


def test_nobody_makes_themselves_or_acts_as_another(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        root = gateway.key("user:root")
        for path, body in (
            ("/v1/identity/grants", {"subject": "user:root", "role": "client"}),
            ("/v1/identity/review", {"subject": "user:root", "role": "administrator", "decision": "keep"}),
            ("/v1/identity/subjects/user:root/disable", None),
            ("/v1/identity/keys", {"subject": "user:ann"}),
        ):
            assert (await gateway.write(path, root, body)).status_code == 403, path
        # a key shows no second factor, so that it makes no further keys
        answer = await gateway.ask("POST", "/v1/identity/self/keys", root, {})
        assert (answer.status_code, answer.json()["error"]) == (403, "step-up")
        other = (await gateway.ask("GET", "/v1/identity/self/keys", gateway.key("user:ann"))).json()[0]["id"]
        assert (await gateway.ask("POST", f"/v1/identity/self/keys/{other}/revoke", root)).status_code == 404

    run(work)


def test_what_breaks_a_rule_is_a_conflict_with_its_reason(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        root = gateway.key("user:root")
        for body, status, words in (
            ({"subject": "user:ann", "role": "administrator"}, 409, "who gives permissions does not use them"),
            ({"subject": "user:ann", "role": "nothing"}, 404, "no role named"),
            ({"subject": "user:nobody", "role": "client"}, 404, "named"),
            ({"subject": "user:ann"}, 400, "role"),
            ({"subject": "user:ann", "role": "client", "more": 1}, 400, "more"),
        ):
            answer = await gateway.write("/v1/identity/grants", root, body)
            assert (answer.status_code, words in answer.json()["message"]) == (status, True), body

    run(work)


def test_a_review_is_read_in_pages_and_decided(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(gateway: Gateway) -> None:
        root = gateway.key("user:root")
        lines = (await gateway.ask("GET", "/v1/identity/review", root)).json()
        assert {line["subject"] for line in lines} == {"client:shop", "user:ann", "user:root"}
        monkeypatch.setattr(handlers, "PAGE", 2)
        pages, after = list[Any](), ""
        while page := (await gateway.ask("GET", f"/v1/identity/review?after={after}", root)).json():
            assert len({line["subject"] for line in page}) <= 2
            pages += page
            after = page[-1]["subject"]
        assert pages == lines
        body = {"subject": "client:shop", "role": "client", "model": "fraud", "decision": "revoke", "note": "left"}
        assert (await gateway.write("/v1/identity/review", root, body)).status_code == 204
        assert (await gateway.ask("GET", "/v1/identity/grants?subject=client:shop", root)).json() == []
        with gateway.database.reading() as connection:
            assert directory.administrators(connection, ROLES) == ["user:root"]

    run(work)


def test_public_keys_are_public_and_hold_nothing_private(run: Run) -> None:
    async def work(gateway: Gateway) -> None:
        (key,) = (await gateway.ask("GET", "/v1/tokens/keys")).json()["keys"]
        assert set(key) == {"kty", "crv", "alg", "use", "kid", "x"}

    run(work)


def test_who_cannot_be_judged_is_told_so_and_has_guessed_nothing(
    run: Callable[[Callable[[Gateway], Awaitable[None]]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise EvidenceError("the database does not answer")

    async def work(gateway: Gateway) -> None:
        text = gateway.key("client:shop")
        with monkeypatch.context() as broken:
            broken.setattr(Database, "reading", down)
            for _ in range(2 * PAIR.free):
                answer = await gateway.ask("GET", "/v1/identity/self", text)
                assert (answer.status_code, answer.json()["error"]) == (503, "identity")
                assert int(answer.headers["retry-after"]) > 0
        act = gateway.acts[-1]
        assert (act.who, act.why, act.cred) == ("-", "identity", text.split("_")[1])
        assert (await gateway.ask("GET", "/v1/identity/self", text)).status_code == 403
        assert gateway.acts[-1].who == "client:shop", "recognised at once: nothing was counted"

    run(work)
