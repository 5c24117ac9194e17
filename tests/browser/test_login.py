"""Login in a real Chromium with a virtual authenticator: passkeys, codes, pages at every width, a strict policy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update
from tests.login_house import PASSWORD, House, code, house

from redan.service.identity.login.tables import passkeys

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

pytestmark = pytest.mark.browser
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    database = "service.db" if request.param == "sqlite" else request.getfixturevalue("new_schema")()
    with house(tmp_path_factory.mktemp("house"), database=database) as running:
        yield running


class Person:
    """Somebody at a browser with an authenticator in it; what the page's console says is kept."""

    def __init__(self, browser: Browser, home: House, **options: Any) -> None:
        home.forget_failures()
        self.home = home
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.cdp: CDPSession = self.context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.authenticator = ""

    def plug(self, *, verifies: bool = True) -> None:
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": verifies, "automaticPresenceSimulation": True,
        }  # fmt: skip
        self.authenticator = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})["credentials"]

    def open(self, path: str) -> None:
        self.page.goto(self.home.url + path)

    def press(self, words: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=words).click()

    def log_in(self, name: str, then: str = "/account") -> None:
        self.open(f"/login?next={then}")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Log in")

    def register(self, title: str = "my laptop") -> None:
        self.page.get_by_label("Name of a new passkey").fill(title)
        self.page.get_by_role("button", name="Register a passkey").click()

    def log_out(self) -> None:
        self.open("/logout")
        self.press("Log out")


@pytest.fixture
def person(browser: Browser, home: House) -> Iterator[Person]:
    one = Person(browser, home)
    yield one
    one.context.close()


def test_a_passkey_is_registered_and_then_logs_in_without_a_name(home: House, person: Person) -> None:
    name = home.person()
    person.plug()
    person.log_in(name)
    page = person.page
    page.wait_for_url(home.url + "/account")
    person.register()
    page.locator("#passkey-codes li").nth(9).wait_for()
    page.get_by_role("link", name="I have kept them").click()
    assert page.get_by_text("my laptop").is_visible()
    assert "10 left" in page.content()
    person.log_out()
    person.open("/login?next=/account")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(home.url + "/account")
    assert page.locator("strong", has_text=re.compile(f"^{name}$")).is_visible()
    act = home.last("login")
    assert (act.who, act.why) == (f"user:{name}", "passkey")
    assert person.said == []


def test_a_passkey_is_a_second_factor_and_a_step_up(home: House, person: Person) -> None:
    name = home.person()
    person.plug()
    person.log_in(name)
    person.register()
    page = person.page
    page.locator("#passkey-codes li").nth(9).wait_for()
    person.log_out()
    person.log_in(name)
    page.wait_for_url("**/login/second*")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(home.url + "/account")
    person.open("/login/second?next=/account")
    assert page.get_by_role("heading", name="Confirm that it is you").is_visible()
    before = person.context.cookies()[0]["value"]
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(home.url + "/account")
    assert person.context.cookies()[0]["value"] != before
    assert home.trail.acts[-1].more["did"] == "step-up by passkey"
    assert person.said == []


def test_an_authenticator_that_does_not_verify_its_owner_is_refused(home: House, person: Person) -> None:
    person.plug(verifies=False)
    person.log_in(home.person())
    person.register()
    person.page.locator("#passkey-error").wait_for()
    assert person.page.locator("#passkey-error").inner_text() == "The passkey was not shown."
    assert "10 left" not in person.page.content()


def test_a_copied_authenticator_is_found_out_by_its_count(home: House, person: Person) -> None:
    name = home.person()
    person.plug()
    person.log_in(name)
    person.register()
    person.page.locator("#passkey-codes li").nth(9).wait_for()
    with home.logins.database.writing() as connection:
        connection.execute(update(passkeys).where(passkeys.c.person == f"user:{name}").values(sign_count=1000))
    person.log_out()
    person.open("/login?next=/account")
    person.page.get_by_role("button", name="Use a passkey").click()
    person.page.locator("#passkey-error").wait_for()
    assert person.page.locator("#passkey-error").inner_text() == "this second factor does not fit"
    assert home.last("login").ok is False


def test_another_origin_gets_nothing(browser: Browser, home: House, person: Person) -> None:
    """The gateway under another name of the same machine: what the browser signs names that origin."""
    name = home.person()
    person.plug()
    person.log_in(name)
    person.register()
    person.page.locator("#passkey-codes li").nth(9).wait_for()
    person.page.goto(home.url.replace("localhost", "127.0.0.1") + "/login?next=/account")
    person.page.get_by_role("button", name="Use a passkey").click()
    person.page.locator("#passkey-error").wait_for()
    assert "/login" in person.page.url


def test_an_app_is_enrolled_from_the_picture_on_the_page(home: House, person: Person) -> None:
    name = home.person()
    person.log_in(name)
    page = person.page
    person.press("Enrol")
    picture = page.locator(".qr svg").bounding_box()
    assert picture is not None
    assert min(picture["width"], picture["height"]) > 200
    secret = page.locator(".key code").inner_text()
    page.get_by_label("Code").fill(code(secret, steps=-1))
    person.press("Enrol")
    assert page.locator(".codes li").count() == 10
    person.log_out()
    person.log_in(name)
    page.get_by_label("Code of your authenticator app").fill(code(secret))
    person.press("Confirm")
    page.wait_for_url(home.url + "/account")
    assert "Authenticator app: enrolled" in page.content()
    assert person.said == []


def test_everything_but_passkeys_works_without_script(browser: Browser, home: House) -> None:
    person = Person(browser, home, java_script_enabled=False)
    name = home.person(app=True)
    person.log_in(name)
    person.page.get_by_label("Code of your authenticator app").fill(code(home.secrets[name]))
    with person.page.expect_navigation():
        person.page.keyboard.press("Enter")
    assert person.page.get_by_text("You are logged in as").is_visible()
    person.log_out()
    assert person.page.get_by_role("heading", name="Logged out").is_visible()
    person.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_scrolls_sideways_and_each_control_has_a_name(
    browser: Browser, home: House, width: int, scheme: str
) -> None:
    person = Person(browser, home, viewport={"width": width, "height": 800}, color_scheme=scheme)
    name = home.person("a" * 100 + f"{width}{scheme}", app=True)
    page = person.page
    person.open("/login")
    _judge(page, width)
    person.log_in(name)
    _judge(page, width)
    page.get_by_label("Code of your authenticator app").fill(code(home.secrets[name]))
    page.keyboard.press("Enter")
    page.wait_for_url(home.url + "/account")
    _judge(page, width)
    person.press("Replace")
    _judge(page, width)
    person.open("/logout")
    _judge(page, width)
    assert person.said == []
    person.context.close()


NAMELESS = """
() => [...document.querySelectorAll(
  'a,button,input:not([type=hidden]):not([hidden]),svg:not([aria-hidden])')].filter(e =>
  !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim())
).length
"""


def _judge(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.evaluate(NAMELESS) == 0, page.url
    assert page.locator("h1").count() == 1
