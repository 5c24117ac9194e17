"""People come in through the real routes: password, app, recovery code; and who should not, does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.login_house import PASSWORD, Browser, House, code, house

from redan.service.identity import directory
from redan.service.identity.login import recovery, sessions
from redan.service.identity.login.entering import WRONG
from redan.service.identity.login.tables import sessions as opened


def test_a_password_opens_a_session_whose_cookie_no_script_and_no_other_site_gets(
    home: House, browser: Browser
) -> None:
    name = home.person()
    answer = browser.log_in(name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/;" in cookie
    page = browser.get("/account")
    assert page.status_code == 200
    assert name in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    act = home.last("login")
    assert (act.who, act.ok, act.why) == (f"user:{name}", True, "password")


def test_only_the_digest_of_a_cookie_is_stored(home: House, browser: Browser) -> None:
    browser.log_in(home.person())
    secret = browser.client.cookies["redan"]
    assert len(secret) == 43
    with home.logins.database.reading() as connection:
        rows = connection.execute(select(opened)).all()
    assert secret not in repr(rows)
    assert sha256(secret.encode()).hexdigest() in repr(rows)


def test_unknown_wrong_disabled_and_without_password_look_the_same(home: House, browser: Browser) -> None:
    known, disabled, without = home.person(), home.person(), "without-password"
    with home.logins.database.writing() as connection:
        directory.add(connection, f"user:{without}", by="test")
        connection.execute(
            directory.tables.subjects.update()
            .where(directory.tables.subjects.c.id == f"user:{disabled}")
            .values(disabled=True)
        )
    tries = [
        (known, "wrong password one"),
        (disabled, PASSWORD),
        (without, PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("user:" + known, PASSWORD),
    ]
    seen = set()
    counted = home.logins.outcomes["login", WRONG.why]
    for name, password in tries:
        answer = browser.log_in(name, password)
        body = answer.text.replace(f'value="{name}"', 'value=""')
        seen.add((answer.status_code, body, answer.headers.get("set-cookie")))
    assert len(seen) == 1
    assert seen.pop()[0] == 401
    assert home.last("login").who == "-"
    assert home.logins.outcomes["login", WRONG.why] == counted + len(tries)
    assert ("redan_logins", ("login", WRONG.why), counted + len(tries)) in list(home.logins.readings())


def test_what_was_typed_as_a_name_is_not_recorded(home: House, browser: Browser) -> None:
    typed = "my secret typed into the wrong field"
    creds = []
    for name in (typed, typed, typed + "!"):
        browser.log_in(name, "x")
        act = home.last("login")
        assert re.fullmatch("name:[0-9a-f]{16}", act.cred)
        assert "my secret" not in repr(act)
        creds.append(act.cred)
    assert creds[0] == creds[1] != creds[2], "who counts guesses tells names apart"
    assert sha256(typed.encode()).hexdigest()[:16] not in creds[0], "and nobody tries passwords against them"


def test_with_an_app_the_password_alone_opens_nothing(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    assert browser.log_in(name).headers["location"] == "/login/second?next=%2Faccount"
    half = browser.client.cookies["redan"]
    assert browser.get("/account").headers["location"].startswith("/login?next=")
    assert browser.client.get("/v1/login/account").status_code == 401
    answer = browser.form("/login/second", code=code(home.secrets[name]), next="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert browser.client.cookies["redan"] != half, "the cookie changes when the session becomes full"
    assert browser.get("/account").status_code == 200
    act = home.last("login.second")
    assert (act.who, act.why) == (f"user:{name}", "totp")
    browser.client.cookies.clear()
    browser.client.cookies.set("redan", half, domain="localhost.local", path="/")
    assert browser.get("/account").status_code == 303, "the cookie from before is worth nothing"


def test_a_code_is_good_once(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    shown = code(home.secrets[name])
    browser.log_in(name)
    assert browser.form("/login/second", code=shown).status_code == 303
    with home.browser() as thief:
        thief.log_in(name)
        assert thief.form("/login/second", code=shown).status_code == 401
        assert home.last("login.second").ok is False
        assert thief.form("/login/second", code=code(home.secrets[name], steps=-1)).status_code == 401, (
            "nor an older one"
        )


def test_five_wrong_codes_end_the_half_session(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    browser.log_in(name)
    token = browser.token()
    for _ in range(sessions.MOST_TRIES):
        assert browser.form("/login/second", csrf=token, code="000000").status_code == 401
    answers = [browser.form("/login/second", csrf=token, code=code(home.secrets[name])).status_code for _ in range(2)]
    assert answers[1] != 303
    assert browser.get("/account").status_code == 303


def test_a_recovery_code_opens_a_login_once(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        codes = recovery.new_codes(connection, f"user:{name}")
    assert len(set(codes)) == 10
    browser.log_in(name)
    assert browser.form("/login/second", code=codes[3].upper().replace("-", " ")).status_code == 303
    assert home.last("login.second").why == "recovery"
    assert "9 left" in browser.get("/account").text
    with home.browser() as other:
        other.log_in(name)
        assert other.form("/login/second", code=codes[3]).status_code == 401


def test_a_recovery_code_confirms_nothing_dangerous(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        codes = recovery.new_codes(connection, f"user:{name}")
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    assert browser.json("/v1/login/step-up", {"code": codes[0]}).status_code == 401


def test_who_came_in_by_a_recovery_code_may_enrol_a_new_factor_and_nothing_dangerous_before(
    home: House, browser: Browser
) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        codes = recovery.new_codes(connection, f"user:{name}")
    browser.log_in(name, then="/console")
    assert browser.form("/login/second", code=codes[0], next="/console").headers["location"] == "/account"
    assert "by a recovery code" in browser.get("/account").text
    assert "Enrol a new second factor" in browser.get("/login/second").text
    body = {"action": "models.promote", "resource": "/v1/danger/fraud"}
    for path, asked in (
        ("/v1/danger/fraud", None),
        ("/v1/login/recovery", None),
        ("/v1/login/remove", {"kind": "totp"}),
        ("/v1/login/password", {"old": PASSWORD, "new": "five other unrelated words"}),
    ):
        refused = browser.json(path, asked)
        assert (refused.status_code, refused.json()["error"]) == (403, "step-up"), path
    assert browser.json("/v1/login/confirmations", body).status_code == 401
    assert browser.form("/account/remove", kind="totp").headers["location"] == "/login?next=%2Faccount"
    offer = browser.json("/v1/login/totp").json()
    made = browser.json("/v1/login/totp/confirm", {"ticket": offer["ticket"], "code": code(offer["secret"])})
    assert made.status_code == 200
    assert browser.json("/v1/danger/fraud", csrf=made.json()["csrf"]).status_code == 200
    with home.browser() as lost:
        lost.log_in(name)
        assert lost.form("/login/second", code=code(home.secrets[name], steps=1)).status_code == 401, "the lost app"


def test_a_recovery_is_no_leave_to_enrol_for_ever_nor_for_other_sessions(home: House, browser: Browser) -> None:
    name = home.person()
    browser.log_in(name)  # a session from before there was a second factor
    home.give_app(name)
    assert browser.json("/v1/login/totp").json()["error"] == "step-up"
    with home.logins.database.writing() as connection:
        codes = recovery.new_codes(connection, f"user:{name}")
    with home.browser() as late:
        late.log_in(name)
        late.form("/login/second", code=codes[0])
        with home.logins.database.writing() as connection:
            connection.execute(update(opened).values(proved_s=opened.c.proved_s - 301))
        assert late.json("/v1/login/totp").json()["error"] == "step-up"
        assert late.form("/account/totp").headers["location"] == "/login?next=%2Faccount"


def test_five_failures_make_one_address_wait_and_the_words_stay_harmless(home: House) -> None:
    name = home.person()
    with home.browser() as attacker:
        statuses = [attacker.log_in(name, f"guess number {at}").status_code for at in range(8)]
        answer = attacker.log_in(name, PASSWORD)
    assert 429 in statuses
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "too many attempts" in answer.text
    assert home.last("login").why == "lock-out"


def test_a_login_sent_by_another_site_is_refused(home: House, browser: Browser) -> None:
    name = home.person()
    data = {"name": name, "password": PASSWORD}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert browser.client.post("/login", data=data, headers=headers).status_code == 403
        assert browser.client.post("/v1/login", json=data, headers=headers).status_code == 403
    assert "redan" not in browser.client.cookies


@pytest.mark.parametrize(
    "then",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a\r\nSet-Cookie: x=1",
        "javascript:alert(1)",
        "",
        "/%0d" + "a" * 600,
    ],
)
def test_a_login_leads_nowhere_but_into_this_gateway(home: House, browser: Browser, then: str) -> None:
    from redan.service.identity.login.pages import HOME, local

    assert local(then) == HOME


def test_logging_out_ends_the_session_and_needs_its_token(home: House, browser: Browser) -> None:
    browser.log_in(home.person())
    secret = browser.client.cookies["redan"]
    assert browser.form("/logout", csrf="0" * 64).status_code == 403
    assert browser.get("/account").status_code == 200
    assert browser.form("/logout").status_code == 200
    assert home.last("logout").ok
    browser.client.cookies.set("redan", secret, domain="localhost.local", path="/")
    assert browser.get("/account").status_code == 303


def test_a_cookie_that_was_planted_before_the_login_is_not_taken_over(home: House, browser: Browser) -> None:
    browser.client.cookies.set("redan", "planted" * 6, domain="localhost.local", path="/")
    browser.log_in(home.person())
    assert "planted" not in browser.client.cookies.get("redan", domain="localhost.local", default="")


def test_who_is_disabled_or_signed_out_is_out_at_once(home: House, browser: Browser) -> None:
    name = home.person()
    browser.log_in(name)
    assert browser.get("/account").status_code == 200
    with home.logins.database.writing() as connection:
        directory.sign_out(connection, f"user:{name}")
    assert browser.get("/account").status_code == 303


def test_nobody_comes_in_unrecorded(home: House, browser: Browser) -> None:
    name = home.person()
    home.trail.broken = True
    try:
        answer = browser.log_in(name)
    finally:
        home.trail.broken = False
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers


def test_json_does_the_same_as_the_form(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    answer = browser.json("/v1/login", {"name": name, "password": PASSWORD}, csrf="")
    assert answer.json()["state"] == "half"
    csrf = answer.json()["csrf"]
    assert browser.json("/v1/login/second", {"code": "123"}, csrf="").status_code == 403, "the token is missing"
    full = browser.json("/v1/login/second", {"code": code(home.secrets[name])}, csrf=csrf)
    assert full.json()["state"] == "full"
    seen = browser.get("/v1/login/account").json()
    assert (seen["person"], seen["totp"], len(seen["sessions"])) == (f"user:{name}", True, 1)
    assert browser.json("/v1/login", {"name": name, "password": "wrong", "more": 1}, csrf="").status_code == 400


def test_over_https_the_cookie_is_bound_to_the_host_and_to_https(
    home: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home.logins, "https", True)
    cookie = browser.log_in(home.person()).headers["set-cookie"]
    assert cookie.startswith("__Host-redan=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_a_login_is_a_use_that_reviews_see(home: House, browser: Browser) -> None:
    name = home.person()
    with home.logins.database.reading() as connection:
        assert directory.get(connection, f"user:{name}").used_us is None
    browser.log_in(name)
    with home.logins.database.reading() as connection:
        assert directory.get(connection, f"user:{name}").used_us is not None


def test_replicas_share_logins_through_postgresql(new_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_url("postgresql")
    with house(tmp_path, database=url) as one, house(tmp_path, database=url) as two, one.browser() as browser:
        name = one.person(app=True)
        browser.log_in(name)
        half = browser.client.cookies["redan"]
        with two.browser() as there:
            there.client.cookies.set("redan", half, domain="localhost.local", path="/")
            shown = code(one.secrets[name])
            assert there.form("/login/second", code=shown, next="/account").status_code == 303
            assert there.get("/account").status_code == 200
            assert browser.get("/account").status_code == 303, "the cookie of the half session is worth nothing now"
            browser.log_in(name)
            assert browser.form("/login/second", code=shown).status_code == 401, "the code was used on the other"
            assert there.form("/logout").status_code == 200
