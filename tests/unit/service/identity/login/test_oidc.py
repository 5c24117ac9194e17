"""Login at a real, certified OpenID provider (npm: oidc-provider), started here with node."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update
from tests.login_house import Browser, House, code, house

from redan.core.settings_service import Oidc
from redan.service.identity import directory
from redan.service.identity.login.tables import links
from redan.service.identity.login.tables import sessions as opened

VERSION = "9.13.3"
CACHE = Path(__file__).resolve().parents[5] / ".cache" / "oidc-provider"
PACKAGE = CACHE / "node_modules" / "oidc-provider" / "lib" / "index.js"
ROLES = {"ml-operators": "operator", "ml-audit": "auditor", "ml-admins": "administrator"}


def installed() -> Path:
    """Return the provider's module, fetched once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node or npm here: apt-get install nodejs npm")
    if not PACKAGE.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"oidc-provider@{VERSION}"]
        done = subprocess.run(words, cwd=CACHE, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            pytest.skip(f"oidc-provider cannot be fetched: {done.stderr.strip().splitlines()[-1:]}")
    return PACKAGE


class Provider:
    """The provider's process and how tests change it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}"

    def control(self, **facts: Any) -> None:
        httpx.post(f"{self.url}/control", json=facts).raise_for_status()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    module = installed()
    words = ["node", str(Path(__file__).with_name("provider.mjs")), str(module)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "NODE_ENV": "test"}
    ) as process:
        line = process.stdout.readline()
        assert line.strip().isdigit(), line
        yield Provider(int(line))
        process.terminate()


@pytest.fixture(scope="module")
def home(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDAN_OIDC_SECRET", "a secret of the client")
        with house(
            tmp_path_factory.mktemp("house"), oidc=Oidc(issuer=provider.url, client_id="redan", roles=ROLES)
        ) as running:
            running.person("first", role="administrator")
            provider.control(redirect=running.url, groups={"ann": ["ml-operators", "staff"], "eve": ["staff"]})
            yield running


def follow(browser: Browser, start: str, login: str) -> httpx.Response:
    """Do at the provider what a person does there, until it sends the browser back; return that answer of ours."""
    with httpx.Client(timeout=20) as there:
        answer = there.get(start)
        for _ in range(12):
            while answer.is_redirect:
                where = answer.headers["location"]
                if where.startswith(str(browser.client.base_url).rstrip("/")):
                    return browser.get(where)
                answer = there.get(str(answer.url.join(where)))
            action = html.unescape(re.search(r'action="([^"]+)"', answer.text)[1])
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
            fields = {"prompt": prompt, **({"login": login, "password": "any"} if prompt == "login" else {})}
            answer = there.post(str(answer.url.join(action)), data=fields)
    raise AssertionError(f"the provider does not let {login} through: {answer.text[:300]}")


def log_in(browser: Browser, login: str, then: str = "/account") -> httpx.Response:
    away = browser.get("/login/oidc", params={"next": then})
    assert away.status_code == 303
    return follow(browser, away.headers["location"], login)


def roles_of(home: House, person: str) -> set[str]:
    with home.logins.database.reading() as connection:
        return {given.role for given in directory.assigned(connection, person)}


def person_of(home: House, subject: str) -> str:
    with home.logins.database.reading() as connection:
        return connection.execute(links.select().where(links.c.subject == subject)).one().person


def test_somebody_whose_groups_give_a_role_comes_in(home: House, provider: Provider, browser: Browser) -> None:
    away = browser.get("/login/oidc", params={"next": "/account"})
    asked = parse_qs(urlsplit(away.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["nonce"][0]) >= 32
    assert "SameSite=lax" in away.headers["set-cookie"]
    answer = follow(browser, away.headers["location"], "ann")
    assert answer.status_code == 200
    assert 'content="0;url=/account"' in answer.text
    person = person_of(home, "ann")
    assert re.fullmatch(r"user:ann\.[0-9a-f]{16}@oidc", person)
    assert browser.get("/account").status_code == 200
    assert roles_of(home, person) == {"operator"}
    act = home.last("login")
    assert (act.who, act.why) == (person, "oidc")
    assert "a secret of the client" not in repr(home.trail.acts)


def test_who_is_in_no_group_with_a_role_is_nobody(home: House, browser: Browser) -> None:
    answer = log_in(browser, "eve")
    assert answer.status_code == 403
    assert "your groups give no role here" in answer.text
    assert browser.get("/account").status_code == 303
    assert home.last("login").ok is False


def test_roles_follow_the_groups_and_leave_what_others_gave(home: House, provider: Provider, browser: Browser) -> None:
    log_in(browser, "ann")
    person = person_of(home, "ann")
    with home.logins.database.writing() as connection:
        directory.grant(connection, home.logins.roles, person, "responder", "fraud", by="user:root")
    try:
        provider.control(groups={"ann": []})
        log_in(browser, "ann")
        assert roles_of(home, person) == {"responder"}
        provider.control(groups={"ann": ["ml-operators", "ml-audit"]})
        answer = log_in(browser, "ann")
        assert answer.status_code == 409, "what must stay apart is refused, whoever gives it"
        assert roles_of(home, person) == {"responder"}
    finally:
        provider.control(groups={"ann": ["ml-operators"], "eve": ["staff"]})


def test_the_providers_new_keys_are_fetched(
    home: House, provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(browser, "ann")
    provider.control(rotate=True)
    answer = log_in(browser, "ann")
    assert answer.status_code == 401, "keys are asked for at most twice a minute"
    monkeypatch.setattr("redan.service.identity.login.oidc_provider.REFETCH_S", -1.0)
    assert log_in(browser, "ann").status_code == 200


def test_an_answer_of_the_provider_is_good_once_and_in_the_browser_that_left(home: House, browser: Browser) -> None:
    away = browser.get("/login/oidc")
    jar = dict(browser.client.cookies)
    with httpx.Client(timeout=20) as there, home.browser() as thief:
        seen: list[str] = []

        class Noted(Browser):
            def get(self, path: str, **more: Any) -> httpx.Response:
                seen.append(path)
                return super().get(path, **more)

        assert follow(Noted(browser.client), away.headers["location"], "ann").status_code == 200
        (back,) = seen
        assert thief.get(back).status_code == 401, "without the cookie"
        thief.get("/login/oidc")
        assert thief.get(back).status_code == 401, "with the cookie of another departure"
        thief.client.cookies.clear()
        thief.client.cookies.set("redan-oidc", jar["redan-oidc"], domain="localhost.local", path="/")
        assert thief.get(back).status_code == 401, "with the stolen cookie, but the code was used"
        assert there.cookies is not None
    assert browser.get("/account").status_code == 200


def test_the_same_mail_address_and_name_take_over_no_account(home: House, browser: Browser) -> None:
    local = home.person("root", role="administrator")
    with home.logins.database.writing() as connection:
        directory.add(connection, "user:ann", by="test")
    log_in(browser, "ann")
    seen = browser.get("/v1/login/account").json()["person"]
    assert seen not in ("user:ann", f"user:{local}")


def test_an_account_is_linked_by_its_owner_with_a_fresh_second_factor(
    home: House, provider: Provider, browser: Browser
) -> None:
    name = home.person(app=True, role="viewer")
    provider.control(groups={"link-me": [], "ann": ["ml-operators"]})
    browser.log_in(name)
    browser.form("/login/second", code=code(home.secrets[name]))
    with home.logins.database.writing() as connection:
        late = update(opened).where(opened.c.person == f"user:{name}")
        connection.execute(late.values(mfa_s=opened.c.mfa_s - 301))
    assert browser.form("/account/link").headers["location"].startswith("/login/second")
    browser.form("/login/second", code=code(home.secrets[name], steps=1))
    page = browser.form("/account/link")
    start = html.unescape(re.search(r'class="button" href="([^"]+)"', page.text)[1])
    assert "Linked" in follow(browser, start, "link-me").text
    assert home.last("login.link").who == f"user:{name}"
    with home.browser() as again:
        assert "/login/second" in log_in(again, "link-me").text, "the second factor is asked for here too"
    with home.browser() as other:
        stranger = home.person()
        other.log_in(stranger)
        page = other.form("/account/link")
        start = html.unescape(re.search(r'class="button" href="([^"]+)"', page.text)[1])
        assert follow(other, start, "link-me").status_code == 409, "linked already"
    assert person_of(home, "link-me") == f"user:{name}"


def test_logging_out_shows_the_way_out_of_the_provider(home: House, provider: Provider, browser: Browser) -> None:
    log_in(browser, "ann")
    page = browser.form("/logout")
    link = html.unescape(re.search(r'class="button" href="([^"]+)"', page.text)[1])
    assert link.startswith(f"{provider.url}/session/end?client_id=redan")
    assert browser.get("/account").status_code == 303
    assert httpx.get(link).status_code == 200


def test_who_refuses_at_the_provider_does_not_come_in(home: House, browser: Browser) -> None:
    away = browser.get("/login/oidc")
    state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
    answer = browser.get("/login/oidc/back", params={"error": "access_denied", "state": state})
    assert answer.status_code == 401
    assert "access_denied" not in answer.text
