"""Metrics and health over HTTP: who may read them, and what strangers learn."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.unit.service.monitoring.standins import READER, Rooms, parts, with_serve

from redan.core.errors import ConfigError
from redan.service.monitoring.endpoints import ENDPOINTS, networks
from redan.service.parts import Parts
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused, response_of


def app_of(service: Parts) -> Starlette:
    """The three routes, with the principal that a header names."""

    def handler(row: Endpoint) -> Any:
        async def answer(request: Request) -> Response:
            principal = READER if request.headers.get("authorization") == "Bearer good" else None
            try:
                return await row.handler(Asked(request=request, parts=service, principal=principal, body=None, note={}))
            except Refused as error:
                return response_of(error.refusal)

        return answer

    return Starlette(routes=[Route(row.path, handler(row), methods=[row.method]) for row in ENDPOINTS])


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Run a real server and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_metrics_are_read_from_this_machine_and_not_through_a_proxy_on_it(tmp_path: Path) -> None:
    with serving(app_of(parts(tmp_path))) as url:
        assert b"redan_build_info" in httpx.get(f"{url}/metrics").content
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            assert httpx.get(f"{url}/metrics", headers={header: "127.0.0.1"}).status_code == 401
        good = {"X-Forwarded-For": "192.0.2.7", "Authorization": "Bearer good"}
        assert httpx.get(f"{url}/metrics", headers=good).status_code == 200


def test_metrics_from_nowhere_need_a_login(tmp_path: Path) -> None:
    service = parts(tmp_path, settings=with_serve(metrics_from=()))
    with serving(app_of(service)) as url:
        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer good"}).status_code == 200


def test_an_address_that_is_none_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="metrics_from"):
        networks(("prometheus.example.com",))


def test_readiness_names_the_part_to_everybody_and_the_reason_to_the_trusted(tmp_path: Path) -> None:
    rooms = Rooms()
    rooms.loaded = []
    rooms.not_admitted = [("credit", "1", "statement expected of ci; found none")]
    service = parts(tmp_path, rooms)
    with serving(app_of(service)) as url:
        assert httpx.get(f"{url}/health/live").json() == {"live": True}
        stranger = httpx.get(f"{url}/health/ready", headers={"Via": "1.1 proxy"})
        assert (stranger.status_code, stranger.json()) == (503, {"ready": False, "missing": ["models"]})
        assert stranger.headers["Retry-After"] == "1"
        assert "expected of ci" in httpx.get(f"{url}/health/ready").json()["why"]["models"]
        rooms.loaded = Rooms().loaded
        assert httpx.get(f"{url}/health/ready").json() == {"ready": True}
        rooms.sound = False
        service.more["health"].draining = True
        assert httpx.get(f"{url}/health/ready").json()["missing"] == ["draining", "audit"]


def test_a_database_that_never_answered_makes_it_unready_and_one_that_did_only_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redan.core.errors import EvidenceError
    from redan.service.monitoring import health

    service = parts(tmp_path)

    def silent() -> None:
        raise EvidenceError("the database does not answer")

    clock = [1000.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with serving(app_of(service)) as url:
        ready = f"{url}/health/ready"
        assert httpx.get(ready).status_code == 200
        monkeypatch.setattr(service.more["health"], "_reach", silent)
        clock[0] += health.DATABASE_STALE_S - 1
        assert httpx.get(ready).status_code == 200
        clock[0] += 2
        assert httpx.get(ready).json()["missing"] == ["database"]
