"""People manage their own factors and sessions, and prove who they are before anything dangerous."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.login_house import PASSWORD, Browser, House, code

from redan.service.identity import directory, freshness, keys
from redan.service.identity.lockout import PAIR
from redan.service.identity.login import sessions
from redan.service.identity.login.tables import links, totps
from redan.service.identity.login.tables import sessions as opened


def make_older(home: House, name: str, seconds: float, **columns: Any) -> None:
    """Set back when somebody proved who they are."""
    with home.logins.database.writing() as connection:
        connection.execute(
            update(opened)
            .where(opened.c.person == f"user:{name}")
            .values(proved_s=opened.c.proved_s - seconds, mfa_s=opened.c.mfa_s - seconds, **columns)
        )


def enrol(browser: Browser) -> tuple[str, Any]:
    page = browser.form("/account/totp")
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)[1]
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)[1]
    return secret, browser.form("/account/totp/confirm", ticket=ticket, code=code(secret, steps=-1))


def test_an_app_is_enrolled_by_picture_and_key_and_gives_ten_recovery_codes(home: House, browser: Browser) -> None:
    name = home.person()
    browser.log_in(name)
    page = browser.form("/account/totp")
    assert "<svg" in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    secret, answer = enrol(browser)
    assert len(re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", answer.text)) == 10
    with home.logins.database.reading() as connection:
        (row,) = connection.execute(totps.select().where(totps.c.person == f"user:{name}")).all()
    assert secret not in repr(row), "the secret lies sealed"
    acts = [act.more for act in home.trail.acts if act.who == f"user:{name}" and act.act == "identity.self"]
    assert any(more["did"] == "totp enrolled" for more in acts if "did" in more)
    assert secret not in repr(home.trail.acts)


def test_ones_account_lies_in_the_frame_of_the_console(home: House, browser: Browser) -> None:
    name = home.person(role="operator")
    assert "<nav" not in browser.get("/login").text
    browser.log_in(name)
    for page in (browser.get("/account"), browser.form("/account/totp"), browser.form("/account/recovery")):
        assert '<a href="/console/registry"' in page.text
        assert '<a href="/console/audit"' not in page.text, "what one may not see is not shown"
        assert 'aria-current="page">' + name in page.text or page.request.url.path != "/account"


def test_a_wrong_code_or_anothers_offer_enrols_nothing(home: House, browser: Browser) -> None:
    name, other = home.person(), home.person()
    browser.log_in(name)
    offer = browser.json("/v1/login/totp").json()
    assert offer["uri"].startswith(f"otpauth://totp/redan:{name}?secret={offer['secret']}&issuer=redan")
    with home.browser() as stranger:
        stranger.log_in(other)
        body = {"ticket": offer["ticket"], "code": code(offer["secret"])}
        assert stranger.json("/v1/login/totp/confirm", body).status_code == 409
    assert browser.json("/v1/login/totp/confirm", {"ticket": offer["ticket"], "code": "000000"}).status_code == 409
    assert browser.json("/v1/login/totp/confirm", {"ticket": "x" * 9000, "code": "000000"}).status_code == 409
    assert browser.get("/v1/login/account").json()["totp"] is False


def test_a_dangerous_action_needs_a_fresh_second_factor(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    assert browser.json("/v1/danger/fraud").status_code == 200
    make_older(home, name, 301)
    refused = browser.json("/v1/danger/fraud")
    assert (refused.status_code, refused.json()["error"]) == (403, "step-up")
    before = browser.client.cookies["redan"]
    stepped = browser.json("/v1/login/step-up", {"code": code(home.secrets[name], steps=1)})
    assert stepped.status_code == 200
    assert browser.client.cookies["redan"] != before
    assert browser.json("/v1/danger/fraud", csrf=stepped.json()["csrf"]).status_code == 200


def test_without_a_second_factor_dangerous_actions_stay_closed(home: House, browser: Browser) -> None:
    browser.log_in(home.person())
    assert browser.json("/v1/danger/fraud").json()["error"] == "step-up"
    assert "no second factor" in browser.get("/login/second?next=/account").text


def test_factors_change_only_after_a_fresh_proof(home: House, browser: Browser) -> None:
    name = home.person()
    browser.log_in(name)
    make_older(home, name, 301)
    assert browser.form("/account/totp").headers["location"] == "/login?next=%2Faccount"
    assert browser.json("/v1/login/totp").json()["error"] == "step-up"
    with home.browser() as fresh:
        fresh.log_in(name)
        enrol(fresh)
        assert fresh.json("/v1/login/recovery").status_code == 200, "the code that enrolled counts as shown"
        make_older(home, name, 301)
        for path, fields in (
            ("/account/recovery", {}),
            ("/account/remove", {"kind": "totp"}),
            ("/account/password", {"old": PASSWORD, "new": "five other unrelated words"}),
        ):
            assert fresh.form(path, **fields).headers["location"] == "/login/second?next=%2Faccount", path
        assert fresh.get("/v1/login/account").json()["totp"] is True


def test_a_clock_that_was_set_back_is_no_fresh_proof(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    make_older(home, name, -3600)
    assert browser.json("/v1/login/recovery").json()["error"] == "step-up"
    assert browser.json("/v1/danger/fraud").json()["error"] == "step-up"


def test_a_clock_that_is_set_back_makes_no_old_proof_fresh_again(
    home: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = home.person(app=True)
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    assert browser.json("/v1/danger/fraud").status_code == 200
    later_s = time.monotonic() + 301
    # while the wall clock stands where it stood
    monkeypatch.setattr(freshness, "time", SimpleNamespace(monotonic=lambda: later_s))
    assert browser.json("/v1/danger/fraud").json()["error"] == "step-up"
    assert browser.json("/v1/login/recovery").json()["error"] == "step-up"
    stepped = browser.json("/v1/login/step-up", {"code": code(home.secrets[name], steps=1)})
    assert browser.json("/v1/danger/fraud", csrf=stepped.json()["csrf"]).status_code == 200


def test_removing_the_last_second_factor_removes_its_recovery_codes(home: House, browser: Browser) -> None:
    browser.log_in(home.person())
    enrol(browser)
    assert browser.get("/v1/login/account").json()["recovery_left"] == 10
    assert browser.form("/account/remove", kind="totp").status_code == 303
    seen = browser.get("/v1/login/account").json()
    assert (seen["totp"], seen["recovery_left"]) == (False, 0)


def test_what_cannot_be_recorded_is_not_done(home: House, browser: Browser) -> None:
    browser.log_in(home.person())
    enrol(browser)
    token = browser.token()
    home.trail.broken = True
    try:
        answer = browser.json("/v1/login/remove", {"kind": "totp"}, csrf=token)
        seen = browser.get("/v1/login/account").json()
    finally:
        home.trail.broken = False
    assert (answer.status_code, answer.json()["error"]) == (503, "audit")
    assert seen["totp"] is True


def test_with_the_link_to_a_provider_go_the_roles_that_it_gave(home: House, browser: Browser) -> None:
    name = home.person(role="viewer")
    home.person(role="administrator")
    with home.logins.database.writing() as connection:
        facts = {"issuer": "https://id.example", "subject": name, "person": f"user:{name}", "created_s": 0.0}
        connection.execute(links.insert().values(**facts))
        directory.grant(connection, home.logins.roles, f"user:{name}", "operator", by="oidc")
    browser.log_in(name)
    assert browser.json("/v1/login/remove", {"kind": "link"}).json() == {"done": 1}
    with home.logins.database.reading() as connection:
        assert [given.role for given in directory.assigned(connection, f"user:{name}")] == ["viewer"]


def test_sessions_are_listed_and_ended(home: House, browser: Browser) -> None:
    name, stranger = home.person(), home.person()
    browser.log_in(name)
    with home.browser() as phone, home.browser() as other:
        phone.client.headers["user-agent"] = "<b>phone</b>"
        phone.log_in(name)
        other.log_in(stranger)
        page = browser.get("/account").text
        assert "&lt;b&gt;phone&lt;/b&gt;" in page
        listed = browser.get("/v1/login/account").json()
        assert len(listed["sessions"]) == 2
        theirs = other.get("/v1/login/account").json()["session"]
        assert browser.json("/v1/login/sessions/end", {"id": theirs}).json() == {"done": 0}
        assert other.get("/account").status_code == 200, "nobody ends another's session"
        (away,) = [one["id"] for one in listed["sessions"] if one["id"] != listed["session"]]
        assert browser.json("/v1/login/sessions/end", {"id": away}).json() == {"done": 1}
        assert phone.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200


@pytest.mark.parametrize("column", ["ends_s", "seen_s"])
def test_a_session_ends_by_the_clock_and_by_lying_idle(home: House, browser: Browser, column: str) -> None:
    name = home.person()
    browser.log_in(name)
    assert browser.get("/account").status_code == 200
    with home.logins.database.writing() as connection:
        past = {"ends_s": opened.c.ends_s - 8 * 3600, "seen_s": opened.c.seen_s - sessions.IDLE_S}
        connection.execute(update(opened).where(opened.c.person == f"user:{name}").values({column: past[column]}))
    assert browser.get("/account").status_code == 303


def test_one_person_has_a_bounded_number_of_sessions(home: House) -> None:
    person = f"user:{home.person()}"
    with home.logins.database.writing() as connection:
        for _ in range(sessions.MOST_OF_ONE + 5):
            last = sessions.begin(
                connection, person, state="full", method="password", ttl_s=60, addr="", agent="a" * 5000
            )
        assert len(sessions.of_person(connection, person)) == sessions.MOST_OF_ONE
        assert sessions.find(connection, last) is not None


def test_a_new_password_ends_every_other_session(home: House, browser: Browser) -> None:
    name = home.person()
    browser.log_in(name)
    with home.browser() as other:
        other.log_in(name)
        for new, words in (
            ("short", "12 characters"),
            ("Password123456", "first that are guessed"),
            (f"{name}2026!!", "guessed"),
        ):
            answer = browser.form("/account/password", old=PASSWORD, new=new)
            assert answer.status_code == 409
            assert words in answer.text
        wrong = browser.form("/account/password", old="not this one", new="ochre zebra kiln 77")
        assert wrong.status_code == 401
        counted = repr(home.authority.lockouts._pairs._names)
        assert home.logins.sealer.pseudonym(f"user:{name}") in counted
        assert name not in counted, "what was typed as a name may be a password"
        assert browser.form("/account/password", old=PASSWORD, new="ochre zebra kiln 77").status_code == 200
        assert other.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    with home.browser() as again:
        assert again.log_in(name, PASSWORD).status_code == 401
        assert again.log_in(name, "ochre zebra kiln 77").status_code == 303


def test_a_key_does_not_manage_an_account_and_confirms_with_a_code_alone(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        _, text = keys.make(connection, f"user:{name}", by="test")
    header = {"authorization": f"Bearer {text}"}
    post = browser.client.post
    assert browser.client.get("/v1/login/account", headers=header).status_code in (401, 403)
    assert post("/v1/login/totp", headers=header).status_code in (401, 403)
    assert post("/v1/danger/fraud", headers=header).json()["error"] == "step-up"
    body = {"action": "models.promote", "resource": "/v1/danger/fraud"}
    assert post("/v1/login/confirmations", json=body, headers=header).status_code == 401
    assert post("/v1/login/confirmations", json={**body, "code": "000000"}, headers=header).status_code == 401
    given = post("/v1/login/confirmations", json={**body, "code": code(home.secrets[name])}, headers=header).json()
    confirmed = {**header, "redan-confirmation": given["confirmation"]}
    assert post("/v1/danger/other", headers=confirmed).status_code == 403, "bound to its resource"
    assert post("/v1/danger/fraud", headers=confirmed).status_code == 200
    assert post("/v1/danger/fraud", headers=confirmed).status_code == 403, "good once"


def test_what_is_confirmed_for_one_body_is_good_for_no_other(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        _, text = keys.make(connection, f"user:{name}", by="test")
    header = {"authorization": f"Bearer {text}"}
    three, four = b'{"version": "3"}', b'{"version": "4"}'
    asked = {
        "action": "models.promote",
        "resource": "/v1/danger/fraud",
        "digest": sha256(three).hexdigest(),
        "code": code(home.secrets[name]),
    }
    post = browser.client.post
    assert post("/v1/login/confirmations", json={**asked, "digest": "3"}, headers=header).status_code == 400
    given = post("/v1/login/confirmations", json=asked, headers=header).json()["confirmation"]
    assert home.last("identity.self").more["body"] == asked["digest"]
    confirmed = {**header, "redan-confirmation": given}
    for body in (four, b"", three + b" "):
        refused = post("/v1/danger/fraud", content=body, headers=confirmed)
        assert (refused.status_code, refused.json()["error"]) == (403, "step-up"), body
    assert post("/v1/danger/fraud", content=b" " * (2 << 20), headers=confirmed).status_code == 413
    assert post("/v1/danger/fraud", content=three, headers=confirmed).status_code == 200


def test_codes_that_are_guessed_at_once_are_judged_one_after_the_other(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        _, text = keys.make(connection, f"user:{name}", by="test")
    body = {"action": "models.promote", "resource": "/v1/danger/fraud"}
    right = code(home.secrets[name])
    wrong = [guess for guess in (f"{n:06}" for n in range(40)) if guess != right]
    before = len(home.trail.acts)

    def guess(given: str) -> int:
        headers = {"authorization": f"Bearer {text}"}
        url = f"{home.url}/v1/login/confirmations"
        return httpx.post(url, json={**body, "code": given}, headers=headers).status_code

    with ThreadPoolExecutor(len(wrong)) as threads:
        statuses = list(threads.map(guess, wrong))
    judged = [act.why for act in home.trail.acts[before:]].count("second-factor")
    assert judged <= PAIR.free + 3, "however many come at once"
    assert set(statuses) <= {401, 429}
    assert guess(right) == 429, "they would have had to wait, and must now"


def test_a_person_confirms_for_a_program_what_they_may_do_themselves(home: House, browser: Browser) -> None:
    name = home.person(app=True)
    with home.logins.database.writing() as connection:
        directory.add(connection, "client:ci", by="test")
        directory.grant(connection, home.logins.roles, "client:ci", "operator", by="test")
        _, text = keys.make(connection, "client:ci", by="test")
    program = {"authorization": f"Bearer {text}"}
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    body = {"action": "identity.write", "resource": "/v1/danger/fraud", "user": "client:ci"}
    assert browser.json("/v1/login/confirmations", body).status_code == 403, "what one may not do one cannot give"
    given = browser.json("/v1/login/confirmations", {**body, "action": "models.promote"}).json()["confirmation"]
    with home.browser() as machine:
        post = machine.client.post
        assert post("/v1/login/confirmations", json=body, headers=program).status_code == 403, (
            "programs confirm nothing"
        )
        headers = {**program, "redan-confirmation": given}
        assert post("/v1/danger/fraud", headers=headers).status_code == 200
        assert post("/v1/danger/fraud", headers=headers).status_code == 403
