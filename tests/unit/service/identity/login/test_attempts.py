"""Guesses at second factors: one count for all replicas, over restarts, whatever comes at once or the clock does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from tests.login_house import Browser, House, code, house

from redan.service.identity import keys
from redan.service.identity.lockout import PAIR
from redan.service.identity.login import attempts, tables

MOST = PAIR.free + 1
"""Guesses that are judged before the first wait."""
BODY = {"action": "models.promote", "resource": "/v1/danger/fraud"}


def key_of(home: House, name: str) -> dict[str, str]:
    with home.logins.database.writing() as connection:
        return {"authorization": f"Bearer {keys.make(connection, f'user:{name}', by='test')[1]}"}


def wrong(right: str, most: int = 40) -> list[str]:
    return [guess for guess in (f"{n:06}" for n in range(most)) if guess != right]


def test_two_replicas_give_no_more_guesses_than_one_and_a_restart_gives_none(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("postgresql")
    with house(tmp_path, database=url) as one, house(tmp_path, database=url) as two:
        name = one.person(app=True)
        headers, right = key_of(one, name), code(one.secrets[name])

        def guess(asked: tuple[House, str]) -> int:
            where = f"{asked[0].url}/v1/login/confirmations"
            return httpx.post(where, json={**BODY, "code": asked[1]}, headers=headers, timeout=20).status_code

        began_s = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(guess, zip(cycle([one, two]), wrong(right, 16), strict=False)))
        judged = [act.why for home in (one, two) for act in home.trail.acts].count("second-factor")
        # waits of 1, 2, 4, … seconds, of which some may pass while this machine is busy
        assert MOST <= judged <= MOST + int(math.log2(1 + time.monotonic() - began_s))
        assert set(statuses) == {401, 429}
        with one.logins.database.writing() as connection:  # as it is after eleven waits
            connection.execute(
                tables.attempts.update()
                .where(tables.attempts.c.name == f"user:{name}")
                .values(failures=16, until_s=time.time() + PAIR.most_s)
            )
        assert guess((one, right)) == guess((two, right)) == 429
    with house(tmp_path, database=url) as again:
        answer = httpx.post(f"{again.url}/v1/login/confirmations", json={**BODY, "code": right}, headers=headers)
        assert (answer.status_code, again.trail.acts[-1].why) == (429, "lock-out")


def test_half_sessions_and_confirmations_count_together(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    headers, right = key_of(home, name), code(home.secrets[name])
    browser.log_in(name)
    token = browser.token()
    for guess in wrong(right)[:3]:
        assert browser.form("/login/second", csrf=token, code=guess).status_code == 401
    post, where = browser.client.post, f"{home.url}/v1/login/confirmations"
    statuses = [post(where, json={**BODY, "code": guess}, headers=headers).status_code for guess in wrong(right)[3:7]]
    assert statuses == [401, 401, 401, 429]
    assert browser.form("/login/second", csrf=token, code=right).status_code == 429


def test_a_success_forgets_failures(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    browser.log_in(name)
    token = browser.token()
    for guess in wrong(code(home.secrets[name]))[:4]:
        browser.form("/login/second", csrf=token, code=guess)
    assert browser.form("/login/second", csrf=token, code=code(home.secrets[name])).status_code == 303
    with home.logins.database.writing() as connection:
        assert [attempts.attempt(connection, f"user:{name}") for _ in range(MOST)] == [0.0] * MOST
        assert attempts.attempt(connection, f"user:{name}") > 0


def test_waits_double_and_no_clock_makes_them_longer(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [2_000_000_000.0]
    monkeypatch.setattr(attempts, "time", SimpleNamespace(time=lambda: now_s[0]))
    with home.logins.database.writing() as connection:
        waits = []
        for _ in range(PAIR.free + 12):
            while (wait_s := attempts.attempt(connection, "user:slow")) > 0:
                waits.append(wait_s)
                now_s[0] += wait_s
        assert waits == [min(2.0**n, PAIR.most_s) for n in range(11)]
        # set back by a year: the longest wait that the count gives, and no more
        now_s[0] -= 365 * 86400
        assert attempts.attempt(connection, "user:slow") == PAIR.most_s
        now_s[0] += PAIR.most_s
        assert attempts.attempt(connection, "user:slow") == 0.0
