"""Guessing at the login of the whole gateway: what it tells by words and by time, when it stops, whom it hinders."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time

import numpy as np
from tests.fortress import PASSWORD, PREDICT, Fortress, Line, address, request
from tests.served import rows

from redan.service.identity.lockout import PAIR

PAIRS = 100 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 12
TIMES = 2000
TELLING = 0.25
"""Share of the time that a login takes, by which answers may differ at most before somebody far away could see it."""


def login(gateway: Fortress, name: str, password: str, addr: str) -> tuple[int, dict[str, str], bytes, float]:
    """Log in by JSON from an address; also return how long it took, in seconds."""
    line = Line(gateway, addr)
    body = json.dumps({"name": name, "password": password}).encode()
    began_s = time.perf_counter()
    status, headers, answer = line.ask(request("/v1/login", body, token=""))
    took_s = time.perf_counter() - began_s
    line.close()
    gateway.judge(status, {key: value for key, value in headers.items() if key != "set-cookie"}, answer, name)
    return status, headers, answer, took_s


def test_neither_words_nor_headers_tell_who_there_is(gateway: Fortress) -> None:
    """Nobody, somebody with a wrong password, with none, with a second factor, with a strange name: one answer."""
    tries = [
        (name, "wrong") for name in ("viewer", "operator", "auditor", "nobody", "", "user:viewer", "VIEWER", "a" * 5000)
    ]
    tries += [("viewer", password) for password in ("", "a" * 5000, "\x00")]
    told = set()
    for name, password in tries:
        status, headers, body, _ = login(gateway, name, password, address())
        for own in ("date", "x-request-id"):  # different in every answer
            headers.pop(own)
        told.add((status, tuple(sorted(headers.items())), body))
    assert len(told) == 1, told
    assert next(iter(told))[0] == 401
    pages = set()
    for name in ("viewer", "operator", "nobody-at-all"):
        with gateway.http(address()) as browser:
            answer = browser.post("/login", data={"name": name, "password": "wrong"})
            pages.add((answer.status_code, answer.text.replace(name, "NAME")))
    assert len(pages) == 1


def test_time_does_not_tell_who_there_is(gateway: Fortress) -> None:
    """Pairs of guesses, in random order, at somebody and at nobody: the median difference, with a 95 % interval."""
    order, differences_s, took = random.Random(6), [], []
    for number in range(PAIRS):
        # by turns, since a hundred failures at one name make every stranger to it wait
        somebody = ("viewer", "operator")[number % 2]
        pair = {somebody: 0.0, f"nobody{number}": 0.0}
        for name in order.sample(sorted(pair), 2):
            pair[name] = login(gateway, name, "wrong", address())[3]
        known_s, unknown_s = pair[somebody], pair[f"nobody{number}"]
        differences_s.append(known_s - unknown_s)
        took += [known_s, unknown_s]
    rng = np.random.default_rng(6)
    drawn = np.median(rng.choice(differences_s, (TIMES, PAIRS)), axis=1)
    low_s, high_s = np.quantile(drawn, [0.025, 0.975])
    typical_s = float(np.median(took))
    print(f"median difference {1000 * np.median(differences_s):+.1f} ms [{1000 * low_s:+.1f}, {1000 * high_s:+.1f}], "
          f"n = {PAIRS} pairs, of {1000 * typical_s:.0f} ms")  # fmt: skip
    assert low_s < TELLING * typical_s
    assert high_s > -TELLING * typical_s
    # without work for who is unknown one of the two would be quicker by nearly all of it
    assert abs(np.median(differences_s)) < 0.5 * typical_s


def test_who_guesses_must_wait_and_nobody_else_has_to(gateway: Fortress) -> None:
    attacker, began = address(), gateway.recorded()
    statuses = [login(gateway, "viewer", f"wrong{n}", attacker)[0] for n in range(PAIR.free + 1)]
    assert statuses == [401] * (PAIR.free + 1)
    status, headers, body, _ = login(gateway, "viewer", PASSWORD, attacker)
    # even the right password has to wait now, and no work is done for it
    assert status == 429, body
    assert int(headers["retry-after"]) >= 1
    assert "set-cookie" not in headers
    assert login(gateway, "viewer", PASSWORD, address())[0] == 200
    denied = [act for act in gateway.acts(began) if act.addr == attacker]
    assert [act.why for act in denied] == ["login"] * (PAIR.free + 1) + ["lock-out"]
    # a name that was typed may be a password: it stands nowhere in the log
    assert not [act for act in denied if "viewer" in act.cred or act.who != "-"]


def test_a_wave_of_names_from_one_address_is_stopped_too(gateway: Fortress) -> None:
    attacker = address()
    statuses = [login(gateway, f"name{n}", "Spring2026!", attacker)[0] for n in range(24)]
    assert 429 in statuses
    assert set(statuses) == {401, 429}


def test_a_flood_of_logins_does_not_stop_predictions(gateway: Fortress) -> None:
    """Sixty at once from as many addresses: each is answered, some with 503; predictions go on in bounded memory."""
    body, token = json.dumps({"x": rows()[0][:1].tolist()}).encode(), gateway.tokens["client"]

    async def one(addr: str, name: str) -> int:
        sent = request("/v1/login", json.dumps({"name": name, "password": "wrong"}).encode(), token="")
        status, headers, answer = await gateway.ask(sent, addr)
        gateway.judge(status, headers, answer)
        return status

    async def main() -> None:
        before_bytes = gateway.rss_bytes()
        client = await gateway.connect(address())
        await client.send(request(PREDICT, body, token=token))
        assert (await client.answer())[0] == 200
        flood = asyncio.gather(*(one(address(), f"flood{n}") for n in range(60)))
        took_s, most_bytes = [], before_bytes
        while not flood.done():
            began_s = time.perf_counter()
            await client.send(request(PREDICT, body, token=token))
            assert (await client.answer())[0] == 200
            took_s.append(time.perf_counter() - began_s)
            most_bytes = max(most_bytes, gateway.rss_bytes())
            await asyncio.sleep(0.02)
        statuses = await flood
        await client.close()
        took_s.sort()
        print(f"{len(took_s)} predictions during the flood, median {1000 * took_s[len(took_s) // 2]:.1f} ms; "
              f"{statuses.count(503)} of 60 logins got 503; {(most_bytes - before_bytes) >> 20} MiB more")  # fmt: skip
        assert set(statuses) <= {401, 503}
        assert len(took_s) >= 5
        assert took_s[len(took_s) // 2] < 0.5
        assert most_bytes - before_bytes < 256 << 20
        await gateway.serves()

    asyncio.run(main())
