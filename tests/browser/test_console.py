"""The console in a real Chromium: every page at both widths and in both colours, by keyboard, without script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from tests.console_house import LONG, MODEL, PASSWORD, Console, console, finding, incidents, until

from redan.core.finding import Severity
from redan.service.audit.query import Query, search

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
PAGES = (
    ("operator", "/console"),
    ("operator", f"/console/models/{MODEL}"),
    ("auditor", f"/console/models/{MODEL}/versions/1"),
    ("auditor", f"/console/models/{LONG}/versions/1"),
    ("operator", "/console/live"),
    ("responder", "/console/incidents"),
    ("responder", "/console/incidents/1"),
    ("responder", "/console/incidents/1/postmortem"),
    ("auditor", "/console/incidents/1/notification"),
    ("responder", "/console/clients"),
    ("auditor", "/console/audit"),
    ("auditor", "/console/audit/r1/0"),
    ("administrator", "/console/access"),
    ("auditor", "/console/registry"),
    ("auditor", "/console/reports"),
    ("operator", "/account"),
)
NAMELESS = """
() => [...document.querySelectorAll(
  'a,button,input:not([type=hidden]):not([hidden]),select,textarea,svg:not([aria-hidden])')].filter(
  e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim())
).map(e => e.outerHTML)
"""
JUMPS = """
() => { const levels = [...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1]);
        return levels.filter((level, i) => i && level > levels[i - 1] + 1); }
"""
CONTRAST = """
() => {
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                       return .2126 * r + .7152 * g + .0722 * b; };
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility() || e.closest('option,datalist')) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(walk.currentNode.textContent.trim().slice(0, 40));
  }
  return poor;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module", params=["alone", pytest.param("shared", marks=pytest.mark.slow)])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A gateway over SQLite and memory, or as replicas have it."""
    serve = "" if request.param == "alone" else over(*map(request.getfixturevalue, ("new_schema", "new_redis")))
    with console(tmp_path_factory.mktemp("console"), serve=serve) as running:
        running.ask(5)
        running.parts.findings.publish(finding())
        running.parts.findings.publish(finding("client:" + "x" * 200, n=1, severity=Severity.CRITICAL))
        until(lambda: incidents(running) == 1)
        yield running


def over(new_schema: Callable[[], str], new_redis: Callable[[], str]) -> str:
    """Return lines of ``[serve]``."""
    return f'database = "{new_schema()}"\nredis = "{new_redis()}"'


class Person:
    """Somebody at a browser; what the page's console says and what is asked elsewhere is kept."""

    def __init__(self, browser: Browser, home: Console, name: str, *, mfa: bool = True, **options: Any) -> None:
        self.home = home
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        if name:
            self.context.add_cookies([{"name": "redan", "value": home.session(name, mfa=mfa), "url": home.url}])
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda message: self._heard(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on(
            "request", lambda r: None if r.url.startswith((home.url, "data:")) else self.elsewhere.append(r.url)
        )

    def _heard(self, words: str) -> None:
        # a script that types before the page was drawn is quicker than any person
        if not words.startswith("Autofocus processing was blocked"):
            self.said.append(words)

    def open(self, path: str) -> None:
        self.page.goto(self.home.url + path)

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words).click()

    def told(self) -> str:
        return self.page.locator("[role=status]").inner_text()


@contextmanager
def person(browser: Browser, home: Console, name: str, **options: Any) -> Iterator[Person]:
    one = Person(browser, home, name, **options)
    yield one
    one.context.close()
    assert one.elsewhere == []


@pytest.mark.parametrize("role", ["operator", "responder", "auditor", "administrator"])
def test_pages_are_legible_at_both_widths_in_both_colours(browser: Browser, home: Console, role: str) -> None:
    with person(browser, home, role) as one:
        page = one.page
        for _, path in [each for each in PAGES if each[0] == role]:
            one.open(path)
            page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
            for width in (1280, 360):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
                assert page.evaluate(CONTRAST) == [], (path, scheme)
            assert page.evaluate(NAMELESS) == [], path
            assert page.evaluate(JUMPS) == [], path
            assert page.locator("h1").count() == 1, path
            assert page.locator("table:not(:has(thead th[scope=col]))").count() == 0, path
        assert one.said == []


def test_a_table_is_still_a_table_to_a_screen_reader_when_it_is_stacked(browser: Browser, home: Console) -> None:
    with person(browser, home, "operator", viewport={"width": 360, "height": 800}) as one:
        one.open("/console")
        nodes = one.context.new_cdp_session(one.page).send("Accessibility.getFullAXTree")["nodes"]
        roles = [node["role"]["value"] for node in nodes if "role" in node]
        assert {"table", "row", "cell", "rowheader"} <= set(roles)


def test_login_second_factor_and_then_the_console(browser: Browser, home: Console) -> None:
    with person(browser, home, "") as one:
        one.open("/console/live")
        one.page.get_by_label("Name").fill("operator")
        one.page.get_by_label("Password").fill(PASSWORD)
        one.press("Log in")
        one.page.get_by_label("Code of your authenticator app").fill(pyotp.TOTP(home.secrets["operator"]).now())
        one.press("Confirm")
        one.page.wait_for_url("**/console/live")
        assert one.page.get_by_role("link", name="Live").get_attribute("aria-current") == "page"
        assert one.said == []


def test_over_postgresql_and_redis_somebody_logs_in_promotes_and_is_found_in_the_log(
    browser: Browser, new_schema: Callable[[], str], new_redis: Callable[[], str], tmp_path: Path
) -> None:
    """The short path of what slow runs do there in full."""
    with console(tmp_path, serve=over(new_schema, new_redis)) as home:
        with person(browser, home, "") as one:
            one.open(f"/console/models/{MODEL}")
            one.page.get_by_label("Name").fill("operator")
            one.page.get_by_label("Password").fill(PASSWORD)
            one.press("Log in")
            one.page.get_by_label("Code of your authenticator app").fill(pyotp.TOTP(home.secrets["operator"]).now())
            one.press("Confirm")
            one.page.get_by_text("Promote 2", exact=True).first.click()
            one.press("Promote 2")
            one.page.locator("[role=status]").wait_for()
            assert "the version is live" in one.told()
            assert one.said == []
        assert home.ask(3) == [200] * 3
        until(
            lambda: len(search(home.parts.database, Query(client="user:operator", act="models.promote")).records) == 1
        )
        with person(browser, home, "auditor") as one:
            one.open("/console/audit?act=models.promote")
            assert one.page.get_by_role("row", name="user:operator").count() == 1


def test_the_keyboard_reaches_and_opens_everything(browser: Browser, home: Console) -> None:
    with person(browser, home, "operator") as one:
        page = one.page
        one.open(f"/console/models/{MODEL}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        box = page.locator(".skip").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        outlines = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            words, outline = page.evaluate(
                "(e => [e.textContent.trim(), getComputedStyle(e).outlineStyle])(document.activeElement)"
            )
            outlines.add(outline)
            if words == "Quarantine 2":
                break
        assert outlines == {"solid"}
        page.keyboard.press("Enter")
        assert page.get_by_text("It answers nobody until it is promoted again.").last.is_visible()


def test_a_promotion_with_step_up_exchanges_the_page_without_loading_it_anew(browser: Browser, home: Console) -> None:
    with person(browser, home, "responder", mfa=False) as one:
        one.open(f"/console/models/{MODEL}")
        assert one.page.locator("summary", has_text="Promote").count() == 0
        assert one.page.locator("summary", has_text="Quarantine").count() == 2
    with person(browser, home, "operator") as one:
        page = one.page
        one.open(f"/console/models/{MODEL}")
        page.evaluate("window.marked = true")
        page.get_by_text("Promote 2", exact=True).first.click()
        one.press("Promote 2")
        page.locator("[role=status]").wait_for()
        assert "the version is live" in one.told()
        assert page.evaluate("window.marked") is True
        assert page.url.endswith(f"{MODEL}?done=promoted")
        assert page.evaluate("document.activeElement.getAttribute('role')") == "status"
        page.get_by_text("Roll back to 1").first.click()
        one.press("Roll back to 1")
        page.get_by_text("the version before is live again").wait_for()
        assert one.said == []


def test_who_showed_no_second_factor_lately_is_led_to_it_and_back(browser: Browser, home: Console) -> None:
    with person(browser, home, "responder", mfa=False) as one:
        page = one.page
        one.open("/console/clients")
        page.get_by_text("Hold a client back").click()
        page.get_by_role("link", name="Confirm that it is you").click()
        page.get_by_label("Code of your authenticator app").fill(pyotp.TOTP(home.secrets["responder"]).now())
        one.press("Confirm")
        page.wait_for_url("**/console/clients")
        page.get_by_text("Hold a client back").click()
        page.get_by_label("Client", exact=True).fill("client:alice")
        one.press("Hold it back")
        page.locator("[role=status]").wait_for()
        assert page.get_by_role("row", name="client:alice").get_by_text("throttled").is_visible()
        one.press("Let go")
        page.get_by_text("has again what everybody has").wait_for()
        assert one.said == []


def test_an_incident_is_handled_on_its_page(browser: Browser, home: Console) -> None:
    with person(browser, home, "responder") as one:
        page = one.page
        one.open("/console")
        page.get_by_role("link", name="1. client:eve").click()
        page.get_by_label("Note").fill("looked at <b>it</b>")
        page.keyboard.press("Enter")
        page.locator("ol.timeline").get_by_text("looked at <b>it</b>").wait_for()
        one.press("Run slow")
        page.get_by_role("button", name="Undo slow").wait_for(timeout=10_000)
        assert page.get_by_text("contained", exact=True).first.is_visible()
        page.get_by_role("link", name="Close with a post-mortem").click()
        page.get_by_label("Post-mortem").wait_for()
        page.get_by_label("Post-mortem").fill("# mine")
        one.press("Close the incident")
        page.locator("[role=alert]").wait_for()
        assert "has no section" in page.locator("[role=alert]").inner_text()
        assert page.get_by_label("Post-mortem").input_value() == "# mine"
        one.open("/console/incidents/1/postmortem")
        text = page.get_by_label("Post-mortem").input_value()
        page.get_by_label("Post-mortem").fill(text.replace("TO FILL", "nothing more is known"))
        one.press("Close the incident")
        page.get_by_text("The incident is closed.").wait_for()
        assert [words for words in one.said if "409" not in words] == []


def test_the_audit_log_is_searched_and_a_proof_is_taken_away(browser: Browser, home: Console, tmp_path: Path) -> None:
    home.ask(60)
    asked = Query(client="client:alice", act="predict", limit=60)
    until(lambda: len(search(home.parts.database, asked).records) == 60)
    with person(browser, home, "auditor") as one:
        page = one.page
        one.open("/console/audit")
        page.get_by_label("Who").fill("client:alice")
        page.get_by_label("What").fill("predict")
        one.press("Search")
        page.wait_for_url("**/console/audit?client=client%3Aalice&act=predict")
        page.get_by_role("link", name="Older").click()
        page.wait_for_url("**after=**")
        assert page.get_by_role("row", name="client:alice").count() >= 1
        page.locator("tbody a").first.click()
        page.get_by_role("heading", name="Proof").wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the proof").click()
        file = tmp_path / "proof"
        download.value.save_as(file)
        assert "tlog-proof" in file.read_text()
        page.go_back()
        page.get_by_role("link", name="Newest").wait_for()
        assert one.said == []


def test_live_numbers_follow_traffic_until_they_are_paused(browser: Browser, home: Console) -> None:
    with person(browser, home, "viewer") as one:
        page = one.page
        one.open("/console/live")
        page.get_by_text("Updated as it happens.").wait_for()
        home.parts.findings.publish(finding("client:mallory", n=7))
        page.get_by_text("client:mallory asks as somebody").wait_for(timeout=8_000)
        home.ask(5)
        page.locator(".card .big", has_text=re.compile("[1-9]")).first.wait_for(timeout=8_000)
        one.press("Pause")
        assert page.get_by_text("Paused.").is_visible()
        until(lambda: home.parts.more["console"].streams.total() == 0)
        assert one.said == []


def test_everything_works_without_script(browser: Browser, home: Console) -> None:
    with person(browser, home, "operator", java_script_enabled=False) as one:
        page = one.page
        one.open("/console/live")
        assert page.get_by_text("requests a second").first.is_visible()
        assert page.get_by_role("button", name="Pause").count() == 0
        one.open(f"/console/models/{MODEL}")
        page.get_by_text("Quarantine 2", exact=True).first.click()
        one.press("Quarantine 2")
        assert "out of service" in one.told()
        page.get_by_text("Promote 2", exact=True).first.click()
        one.press("Promote 2")
        assert "the version is live" in one.told()
        page.get_by_text("Roll back to 1").first.click()
        one.press("Roll back to 1")
        one.open("/console/incidents?state=open")
    with person(browser, home, "auditor", java_script_enabled=False) as one:
        one.open("/console/audit")
        one.page.get_by_label("Verdict").select_option("denied")
        one.press("Search")
        assert "verdict=denied" in one.page.url
        one.open("/console/nowhere")
        assert one.page.get_by_role("heading", name="Not here").is_visible()


def test_a_report_runs_cut_off_from_the_console(browser: Browser, home: Console) -> None:
    from redan.cli.runs import new_run
    from redan.runner.scan import scan

    run = new_run(home.folder / ".redan")
    run.finish(scan(home.folder / f"{MODEL}-1.onnx"), ())
    with person(browser, home, "viewer") as one:
        one.open(f"/console/reports/runs/{run.path.name}")
        assert one.page.evaluate("window.origin") == "null"
        assert one.page.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight") == "650"
        assert one.page.evaluate("fetch('/console').then(() => 'reached', () => 'refused')") == "refused"
        with pytest.raises(Exception, match="sandboxed"):
            one.page.evaluate("document.cookie")
