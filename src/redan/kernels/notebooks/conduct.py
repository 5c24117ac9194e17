"""What a notebook would do when it is run or opened, and what it tells about its machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from redan.core.record import dataclass
from redan.kernels.notebooks.reading import Cell, Notebook, Part

Kind = Literal["runs", "active", "tells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """One thing.

    Attributes:
        kind: ``runs`` foreign code or harms, is ``active`` when it is opened, or ``tells`` about its machine.
        what: slug.
        message: one phrase.
        address: where.
        start: offset in the text of the part; -1 where it is the whole.
        end: offset after it.
        path: keys that lead to the part.
    """

    kind: Kind
    what: str
    message: str
    address: str
    start: int = -1
    end: int = -1
    path: tuple[str | int, ...] = ()


_SHELL = re.compile(r"^[ \t]*(?:[\w, ]{1,40}=[ \t]*)?(?P<mark>!{1,2}|%%?)[ \t]*(?P<line>[^\n]{1,2000})", re.MULTILINE)
_CALL = re.compile(
    r"(?:get_ipython\(\)\.(?:system|getoutput|run_line_magic|run_cell_magic)|os\.(?:system|popen))\(([^\n]{1,2000})"
)
_CELL_MAGIC = re.compile(r"\s*%%(?:bash|sh|script|system|!|ruby|perl|cmd|powershell)\b")
_COMMANDS = (
    (
        "fetch-and-run",
        "runs what it downloads",
        re.compile(
            r"(?:curl|wget|fetch|iwr|Invoke-WebRequest)\b[^\n|;]{0,500}\|[^\n]{0,60}\b(?:sh|bash|zsh|python\d?|perl|ruby|iex)\b"
            r"|(?:bash|sh|python\d?)[ \t]+(?:-c[ \t]+)?[\"']?(?:<\(|\$\()[ \t]*(?:curl|wget)"
        ),
    ),
    (
        "install-from-address",
        "installs a package from an address instead of an index",
        re.compile(
            r"\b(?:pip3?|conda|uv)[ \t]+(?:pip[ \t]+)?install\b[^\n]{0,500}?(?<!-url[ =])(?<!-i )(?<!host )(?:git\+|https?://|ssh://|file:)[^\s\"']{3,200}"
        ),
    ),
    (
        "other-index",
        "installs from another index",
        re.compile(r"\b(?:pip3?|uv)[ \t]+[^\n]{0,300}(?:--(?:extra-)?index-url|--trusted-host|-i[ \t]+https?:)"),
    ),
    (
        "load-from-address",
        "loads code from an address into the notebook",
        re.compile(r"^(?:load|run|loadpy)[ \t]+https?://"),
    ),
    (
        "reverse-shell",
        "opens a shell to somewhere else",
        re.compile(
            r"/dev/tcp/|\b(?:nc|ncat|netcat)\b[^\n]{0,100}[ \t]-\w*[ec]\w*\b|\bbash[ \t]+-i\b|mkfifo[^\n]{0,200}\bnc\b"
        ),
    ),
    (
        "deletes",
        "deletes outside its folder",
        re.compile(
            r"\brm[ \t]+(?:-\w+[ \t]+){0,4}-\w*[rf]\w*[ \t]+(?:-\w+[ \t]+){0,4}"
            r"[\"']?(?:/(?!tmp/\w|content/\w|kaggle/)|~|\$HOME|\.\.)"
        ),
    ),
    (
        "rights",
        "makes a file executable for everyone or owned by root",
        re.compile(r"\bchmod[ \t]+(?:-R[ \t]+)?(?:0?777|[ugo]*\+s)"),
    ),
)
_ACTIVE = (
    ("script", "holds a script", re.compile(r"(?i)<script\b")),
    (
        "handler",
        "runs a script on an event",
        re.compile(r"(?i)<\w[^<>]{0,300}\son(?:error|load|click|mouseover|focus|toggle)\s{0,5}="),
    ),
    (
        "javascript-link",
        "links to a script",
        re.compile(r"(?i)(?:href|src|action)\s{0,5}=\s{0,5}[\"']?\s{0,5}javascript:"),
    ),
    (
        "frame",
        "frames another page",
        re.compile(r"(?i)<(?:iframe|object|embed|frame)\b[^<>]{0,300}(?:src|data)\s{0,5}="),
    ),
    (
        "remote-picture",
        "fetches a picture from another server",
        re.compile(r"(?i)<(?:img|image|video|audio|link)\b[^<>]{0,300}(?:src|href)\s{0,5}=\s{0,5}[\"']?(?:https?:)?//"),
    ),
)
_HOME = re.compile(
    r"(?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2}|/nfs/home/|/data/home/)(?P<who>[\w.-]{2,40})(?=[/\\\s\"':,)]|$)"
)
_NOBODY = frozenset(
    {"user", "jovyan", "root", "ubuntu", "runner", "ec2-user", "shared", "public", "name", "username", "vscode", "you"}
)
_KERNELS = re.compile(r"(?:/|\\|\.\.|https?:)")


def conduct(notebook: Notebook) -> Iterator[Conduct]:
    """Yield everything, in order of the cells."""
    for cell in notebook.cells:
        if cell.kind == "code":
            yield from _commands(cell)
        for part in cell.parts:
            yield from _opened(part)
            yield from _told(part)
    for part in notebook.metadata:
        yield from _told(part)
        if part.path[-1:] == ("name",) and "kernelspec" in part.path and _KERNELS.search(part.text):
            yield Conduct(kind="tells", what="kernel", message="starts a kernel from a path", address=part.address)
        if part.path[-1:] == ("signature",):
            yield Conduct(kind="tells", what="signature", message="carries a trust signature", address=part.address)
    counts = [cell.execution_count for cell in notebook.cells if cell.execution_count is not None]
    if counts != sorted(counts):
        yield Conduct(
            kind="tells", what="order", message="cells ran in another order than they stand in", address="cells"
        )


def _commands(cell: Cell) -> Iterator[Conduct]:
    text = cell.source.text
    if _CELL_MAGIC.match(text):
        yield from _judged(cell.source, text, 0)
        return
    for found in _SHELL.finditer(text):
        yield from _judged(cell.source, found["line"], found.start("line"))
    for found in _CALL.finditer(text):
        yield from _judged(cell.source, found[1], found.start(1))


def _judged(source: Part, line: str, at: int) -> Iterator[Conduct]:
    for what, message, pattern in _COMMANDS:
        found = pattern.search(line)
        if found:
            place = f"{source.address}, line {source.text.count(chr(10), 0, at + found.start()) + 1}"
            yield Conduct(kind="runs", what=what, message=message, address=place)


def _opened(part: Part) -> Iterator[Conduct]:
    if part.media_type == "application/javascript" and part.text.strip():
        yield Conduct(kind="active", what="javascript", message="is a script", address=part.address, path=part.path)
    is_markup = part.media_type in ("text/html", "image/svg+xml", "text/markdown")
    for what, message, pattern in _ACTIVE if is_markup and "<" in part.text else ():
        if pattern.search(part.text):
            yield Conduct(kind="active", what=what, message=message, address=part.address, path=part.path)


def _told(part: Part) -> Iterator[Conduct]:
    if part.kind == "source" or part.media_type.startswith(("image/", "application/pdf")):
        return
    for found in _HOME.finditer(part.text):
        if found["who"].lower() not in _NOBODY:
            yield Conduct(
                kind="tells",
                what="home-folder",
                message="holds the home folder of a person",
                address=part.address,
                start=found.start("who"),
                end=found.end("who"),
                path=part.path,
            )
            return
