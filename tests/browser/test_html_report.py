"""The HTML report in a real browser: quiet, self-contained, usable by keyboard, at every width, in both colours."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from redan.core.compare import compare
from redan.reports import html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
PAGES = ("report", "comparison", "hostile")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the fixed report, its comparison and one whose names are as long and as hostile as names get."""
    made = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "make.py"))
    bare, blobs = made["report"]()
    report = replace(bare, blobs=made["Blobs"](blobs))
    long = "宽" * 300 + "x" * 3000 + "</script><img src=https://evil.example/x onerror=alert(1)>"
    hostile = replace(
        report,
        subject=replace(report.subject, name=long),
        findings=tuple(replace(f, title=long, rule=long[:900], subject=long) for f in report.findings),
        artifacts=tuple(replace(a, path=long, reasons=(long,)) for a in report.artifacts),
        probes=tuple(replace(p, name=long, why=long) for p in report.probes),
        run=replace(report.run, command=long),
    )
    place = tmp_path_factory.mktemp("pages")
    (place / "report.html").write_bytes(html.write(report))
    (place / "comparison.html").write_bytes(html.write_comparison(compare(report, made["hardened"](report))))
    (place / "hostile.html").write_bytes(html.write(hostile))
    return place


class Seen:
    """A page with everything it said and asked for."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_console_message_and_no_request_leaves_the_file(browser: Browser, folder: Path, name: str) -> None:
    file = folder / f"{name}.html"
    with Seen(browser, file) as seen:
        for button in seen.page.query_selector_all("button"):
            button.click()
        assert seen.said == []
        assert {url for url in seen.asked if not url.startswith("data:")} == {file.as_uri()}
        broken = seen.page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length")
        assert broken == 0


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 1600])
@pytest.mark.parametrize("name", PAGES)
def test_no_width_scrolls_sideways(browser: Browser, folder: Path, name: str, width: int) -> None:
    with Seen(browser, folder / f"{name}.html", viewport={"width": width, "height": 800}) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html") as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        box = page.locator(".skip").bounding_box()
        assert box is not None
        assert box["x"] >= 0, "the skip link shows itself when it has the focus"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "verdict"
        reached: set[str] = set()
        outlines: set[str] = set()
        for _ in range(150):
            page.keyboard.press("Tab")
            tag, outline = page.evaluate(
                "(e => [e.tagName, getComputedStyle(e).outlineStyle + getComputedStyle(e).outlineWidth])"
                "(document.activeElement)"
            )
            reached.add(tag)
            if tag != "BODY":
                outlines.add(outline)
        assert {"A", "SUMMARY", "BUTTON", "INPUT", "DIV"} <= reached
        assert outlines == {"solid3px"}


def test_findings_fold_by_key(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html") as seen:
        first = seen.page.locator("details.finding").first
        assert first.evaluate("e => e.open") is True
        first.locator("summary").first.press("Enter")
        assert first.evaluate("e => e.open") is False


def test_the_filter_hides_and_counts(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html") as seen:
        page = seen.page
        page.get_by_role("searchbox").fill("posix.system")
        assert page.locator("details.finding:visible").count() == 1
        assert page.locator("#shown").inner_text() == "1 of 6 findings shown"
        page.get_by_role("searchbox").fill("")
        page.get_by_label("critical").uncheck()
        assert page.locator("details.finding:visible").count() == 5


def test_everything_is_there_without_javascript(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html", java_script_enabled=False) as seen:
        page = seen.page
        assert page.locator("details.finding:visible").count() == 6
        assert page.locator("#filter").is_hidden()
        for words in (
            "69.3 %",
            "66.4 to 72.1 %",
            "still standing",
            "Ankle boot",
            "trained by us in 2024",
            "permission denied",
        ):
            assert page.get_by_text(words).first.is_visible(), words
        assert page.locator("figure img:visible").count() == 3
        folded = page.locator("details.finding details").first
        assert folded.get_by_text("fingerprint").is_hidden()
        folded.locator("summary").click()
        assert folded.get_by_text("fingerprint").is_visible()


def test_paper_shows_what_is_folded(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html", java_script_enabled=False, color_scheme="dark") as seen:
        seen.page.emulate_media(media="print", color_scheme="dark")
        folded = seen.page.locator("details.finding details").first
        assert folded.evaluate("e => !e.open && e.querySelector('dl').checkVisibility()")
        assert folded.evaluate("e => e.querySelector('dl').getBoundingClientRect().height") > 10
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.page.pdf(format="A4")[:5] == b"%PDF-"


CONTRAST = """
() => {
  const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || ['SCRIPT', 'STYLE'].includes(e.tagName) || !e.checkVisibility()) continue;
    const style = getComputedStyle(e);
    const ink = channels(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [luminance(ink), luminance(behind(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.className + ': ' + node.data.slice(0, 40)]);
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_text_has_the_contrast_of_wcag_aa(browser: Browser, folder: Path, name: str, scheme: str) -> None:
    with Seen(browser, folder / f"{name}.html", color_scheme=scheme) as seen:
        found = seen.page.evaluate(CONTRAST)
        assert len(found) > 50
        assert [(round(ratio, 2), where) for ratio, where in found if ratio < 4.5] == []


def test_dark_and_light_differ(browser: Browser, folder: Path) -> None:
    papers = set()
    for scheme in ("light", "dark"):
        with Seen(browser, folder / "report.html", color_scheme=scheme) as seen:
            papers.add(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


NAMELESS = """
() => [...document.querySelectorAll('a,button,input,summary,img,[role=img],[role=region]')].filter(e =>
  !(e.textContent.trim() || e.getAttribute('aria-label') || e.alt || e.labels?.[0]?.textContent.trim())
).length
"""


def test_every_control_picture_and_box_has_a_name(browser: Browser, folder: Path) -> None:
    with Seen(browser, folder / "report.html") as seen:
        nameless = seen.page.evaluate(NAMELESS)
        assert nameless == 0
        levels = seen.page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
