"""Files without a magic number: messages and documents told by their structure, and texts, which are no artifacts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.code import check_yaml
from redan.kernels.artifacts.readers.documents import read_document
from redan.kernels.artifacts.readers.msgpack import read_msgpack
from redan.kernels.artifacts.readers.onnx import is_onnx, read_onnx
from redan.kernels.artifacts.readers.saved_model import is_saved_model, read_graph_message, read_saved_model
from redan.kernels.artifacts.readers.templates import read_template
from redan.kernels.artifacts.readers.ubjson import read_ubjson
from redan.kernels.artifacts.readers.xml import read_xml

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_PYTHON = re.compile(r"^(?:import [\w.]+|from [\w.]+ import |def \w+\(|class \w+[(:]|@\w+|#!.*python)", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_YAML_LINE = re.compile(r"^[ \t-]*[\w\"'.]+[ \t]*:(?:[ \t]|$)", re.MULTILINE)
_YAML_NAMES = (".yaml", ".yml")
_TELLING = re.compile(rb"!!python|!<tag:|_target_|![a-z]+:")
_TEMPLATE_NAMES = (".jinja", ".jinja2", ".j2")
_PAGE_NAMES = (".html", ".htm", ".xml", ".css", ".js", ".svg")

LONGEST_LOOKED_AT = 1 << 20
"""Bytes of a text that are looked at."""


def read_plain(source: Source) -> str:
    """Read a source of no magic number and return the slug of its format."""
    if is_saved_model(source):
        return read_saved_model(source)
    if is_onnx(source):
        return read_onnx(source)
    head = source.head(LONGEST_LOOKED_AT)
    # Python's json takes UTF-16 and UTF-32 too, with and without a byte order mark.
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"{", b"["):
        slug = read_ubjson(source) or read_document(source)
        if slug is not None:
            return slug
    if head[:2] == b"\0\0" and len(head) > 4 and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 6:
        return "idx"
    text = _decode(head)
    if text is not None:
        return _read_text(source, text)
    slug = read_msgpack(source) or read_graph_message(source)
    if slug is None and _is_named_by_a_graph(source):
        return "onnx-data"
    if slug is None:
        source.unknown("unknown-format", "no known format")
    return slug or "unknown"


def _is_named_by_a_graph(source: Source) -> bool:
    """Whether an ONNX file beside this one names it as the place of its tensors, which are raw numbers."""
    stem = source.name.rpartition(".")[0]
    candidates = {source.name.removesuffix("_data"), stem, f"{stem}.onnx", "model.onnx"}
    for name in sorted(candidates):
        if name.endswith(".onnx") and name != source.name:
            graph = source.sibling(name) or b""
            if b"location" in graph and source.name.encode() in graph:
                return True
    return False


def _decode(head: bytes) -> str | None:
    """The text of a file, or None where it is none."""
    cut = head if len(head) < LONGEST_LOOKED_AT else head[:-4]
    for encoding in ("utf-8-sig", "utf-16") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            text = cut.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _CONTROL.search(text) is None:
            return text
    return None


def _read_text(source: Source, text: str) -> str:
    if text.lstrip()[:1] == "<":
        return read_xml(source, text)
    if _is_template(source.name) and ("{{" in text or "{%" in text):
        return read_template(source)
    if not source.name.endswith(_YAML_NAMES) and _PYTHON.search(text):
        return "python"
    if check_yaml(source, text):
        return "yaml"
    _look_behind(source)
    if _is_table(text):
        return "csv"
    return "yaml" if len(_YAML_LINE.findall(text)) * 2 > text.count("\n") else "text"


def _look_behind(source: Source) -> None:
    """A text that is longer than what was looked at may still hold what makes a loader create objects."""
    if len(source.data) > LONGEST_LOOKED_AT and _TELLING.search(source.data, LONGEST_LOOKED_AT):
        source.unknown("limit", f"of this text only {LONGEST_LOOKED_AT} bytes were looked at", LONGEST_LOOKED_AT)


def _is_template(name: str) -> bool:
    """Whether a name is that of a prompt template: `page.html.jinja` makes pages of a site and no prompts."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f"{dot}{ending}" in _TEMPLATE_NAMES and not stem.endswith(_PAGE_NAMES)


def _is_table(text: str) -> bool:
    lines = text.splitlines()[:20]
    for separator in ",;\t":
        counts = {line.count(separator) for line in lines if line.strip()}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            return True
    return False
