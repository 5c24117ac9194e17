"""A gateway behind a proxy: what it records is the client, and nobody can pretend to be another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.plane import STRANGERS, asked, connected, request, running, settings_of
from tests.served import rows

from redan.core.settings_service import Limits

PREDICT = "/v1/models/cancer/predict"
BODY = b'{"x": [' + str(rows()[0][0].tolist()).encode() + b"]}"
CLIENT = "203.0.113.7"


@pytest.mark.parametrize(
    ("proxies", "header", "sent", "expected"),
    [
        (("127.0.0.1",), "x-forwarded-for", {"x_forwarded_for": CLIENT}, CLIENT),
        (("127.0.0.1",), "x-forwarded-for", {"x_forwarded_for": f"198.51.100.9, {CLIENT}"}, CLIENT),
        (("127.0.0.1",), "x-forwarded-for", {"forwarded": f"for={CLIENT}"}, "127.0.0.1"),
        (("127.0.0.1",), "forwarded", {"forwarded": f"for={CLIENT}"}, CLIENT),
        (("10.0.0.0/8",), "x-forwarded-for", {"x_forwarded_for": CLIENT}, "127.0.0.1"),
        ((), "x-forwarded-for", {"x_forwarded_for": CLIENT, "forwarded": f"for={CLIENT}"}, "127.0.0.1"),
    ],
)
def test_the_client_is_who_a_trusted_proxy_says(
    tmp_path: Path, proxies: tuple[str, ...], header: str, sent: dict[str, str], expected: str
) -> None:
    settings = settings_of(tmp_path, proxies=proxies, proxy_header=header)

    async def main() -> set[str]:
        async with running(tmp_path, settings) as gateway:
            assert (await asked(gateway, PREDICT, BODY, **sent))[0] == 200
            assert (await asked(gateway, PREDICT, BODY, token=STRANGERS, **sent))[0] == 401
        return {act.addr for act in gateway.acts()}

    assert uvloop.run(main()) == {expected}


def test_a_proxy_may_bring_more_connections_than_one_address(tmp_path: Path) -> None:
    limits = Limits(connections_per_address=2, connections=4)

    async def main(**more: Any) -> list[int]:
        folder = tmp_path / ("proxied" if more else "plain")
        folder.mkdir()
        statuses = []
        async with running(folder, settings_of(folder, limits=limits, **more)) as gateway:
            for client in [await connected(gateway) for _ in range(3)]:
                await client.send(request(PREDICT, BODY))
                statuses.append((await client.answer())[0])
        return statuses

    assert uvloop.run(main()) == [200, 200, 503]
    assert uvloop.run(main(proxies=("127.0.0.1",))) == [200, 200, 200]
