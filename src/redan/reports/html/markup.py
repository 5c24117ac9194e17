"""HTML built from elements: every string is escaped unless it was built here, and every tag is closed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from redan.reports.visible import shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARACTERS = 5000
_VOID = frozenset({"meta", "img", "br", "hr", "input"})


class Html(str):
    """Text that is markup already; only this module makes it from foreign text."""

    __slots__ = ()


Child = str | None
"""What an element may hold: markup as it is, any other text escaped, None for nothing."""


def el(tag: str, *children: Child, **attributes: str | bool | None) -> Html:
    """Return one element.

    Args:
        tag: its name, never from foreign text.
        children: `Html` is taken as it is, any other string is escaped.
        attributes: ``class_`` and ``for_`` lose their underscore, others turn it into a dash; True is a bare
            attribute, False and None leave it out.
    """
    told = "".join(_attribute(name, value) for name, value in attributes.items() if value not in (None, False))
    return Html(f"<{tag}{told}>" if tag in _VOID else f"<{tag}{told}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Put children behind each other, escaping what is not markup."""
    return Html("".join(child if isinstance(child, Html) else text(child or "") for child in children))


def text(foreign: str, *, keep: str = "") -> Html:
    """Escape foreign text, hidden characters made visible, the characters in ``keep`` left alone."""
    return Html(escape(shortened(visible(foreign, keep=keep), MOST_CHARACTERS)))


def _attribute(name: str, value: str | bool | None) -> str:
    shown = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {shown}"
    return f' {shown}="{escape(visible(str(value)))}"'


def listing(items: Iterable[Child], **attributes: str | bool | None) -> Html:
    """Return an unordered list, or nothing when there are no items."""
    entries = [el("li", item) for item in items]
    return el("ul", *entries, **attributes) if entries else Html()


def table(caption: str, columns: tuple[str, ...], rows: Iterable[tuple[Child, ...]], *, numeric: str = "") -> Html:
    """Return a table in a box that scrolls by itself, so that the page never does.

    Args:
        caption: what the table shows; also the label of the box.
        columns: head cells.
        rows: body cells; the first of each row heads the row.
        numeric: one letter a column, ``n`` where it holds numbers.
    """
    classes = ["n" if kind == "n" else None for kind in numeric.ljust(len(columns))[: len(columns)]]
    head = el("tr", *(el("th", name, scope="col", class_=c) for name, c in zip(columns, classes, strict=True)))
    body = [
        el(
            "tr",
            el("th", row[0], scope="row", class_=classes[0]),
            *(el("td", cell, class_=c) for cell, c in zip(row[1:], classes[1:], strict=True)),
        )
        for row in rows
    ]
    whole = el("table", el("caption", caption), el("thead", head), el("tbody", *body))
    return el("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)
