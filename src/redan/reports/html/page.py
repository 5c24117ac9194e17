"""The document around the content: one file, nothing loaded from anywhere, a policy that forbids it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from redan.reports.html.markup import Child, Html, el, join
from redan.reports.html.script import JS
from redan.reports.html.style import CSS

EMBLEM = el(
    "svg",
    el("path", d="M3 20 L12 5 L21 20"),
    el("path", d="M7.5 20 L12 12.5 L16.5 20"),
    viewBox="0 0 24 24",
    aria_hidden="true",
)
"""A redan seen from above: two faces that meet in a point towards the attack."""


def _digest(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


POLICY = "; ".join(
    [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_digest(CSS)}",
        f"script-src {_digest(JS)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
"""Content Security Policy: only this very style sheet and script, pictures only from within the file."""


def page(title: str, sections: list[tuple[str, str, Html]], *, lead: Html, end: Html) -> bytes:
    """Return a whole document.

    Args:
        title: for the window and the reader's list of documents.
        sections: (identifier, heading, content); empty content leaves the section out.
        lead: what stands before the first section.
        end: what stands in the footer.
    """
    shown = [(name, heading, content) for name, heading, content in sections if content]
    links = [el("li", el("a", heading, href=f"#{name}")) for name, heading, _ in shown]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", Html(CSS)),
    )
    top = el(
        "header",
        el("div", EMBLEM, el("span", "Redan"), class_="brand"),
        el("nav", el("ul", *links), aria_label="Sections"),
        class_="top",
    )
    content: list[Child] = [lead]
    content += [
        el("section", el("h2", heading, id=f"{name}-title"), body, id=name, aria_labelledby=f"{name}-title")
        for name, heading, body in shown
    ]
    body = el(
        "body",
        el("a", "Skip to the verdict", class_="skip", href="#verdict"),
        top,
        el("main", *content, id="main"),
        el("footer", end),
        el("script", Html(JS)),
    )
    return join([Html("<!doctype html>\n"), el("html", head, body, lang="en"), Html("\n")]).encode()
