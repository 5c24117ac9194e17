"""Read a file as text, or say that it is none.

A byte-order mark decides; without one the bytes are UTF-8, else UTF-16 where every second byte of a plain text is
zero, else Latin-1, which reads anything, so that a single wrong byte hides nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import field
from pathlib import Path

from redan.core.errors import Unreadable
from redan.core.record import dataclass

MOST_BYTES = 32 << 20
"""Size of a file that is read whole."""

_HEAD_BYTES = 8192
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# bytes that no text holds: C0 controls except tab, line ends, form feed, backspace, bell and escape
_CONTROLS = bytes(sorted(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a text file says.

    Attributes:
        text: the characters; line ends as they are in the file.
        encoding: how the bytes were decoded.
        size_bytes: length of the file.
    """

    text: str
    encoding: str
    size_bytes: int
    _starts: list[int] = field(default_factory=list, repr=False, compare=False)

    def lines(self) -> list[str]:
        """Return the lines without their ends, split at line feeds only."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def line_at(self, offset: int) -> int:
        """Return the number, from 1, of the line that holds the character at that offset."""
        if not self._starts:
            self._starts.append(0)
            at = self.text.find("\n")
            while at >= 0:
                self._starts.append(at + 1)
                at = self.text.find("\n", at + 1)
        return bisect_right(self._starts, offset)


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> Text | None:
    """Return what a file says, or None when it is binary; a binary file is given up after its first 8 KiB.

    Raises:
        Unreadable: it cannot be read, is no regular file, or is larger than ``most_bytes``.
    """
    if not path.is_file():
        raise Unreadable(f"{path.name!r} is no regular file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if _encoding(head) is None:
                return None
            data = head + file.read(most_bytes + 1 - len(head)) if most_bytes >= len(head) else head
    except OSError as err:
        raise Unreadable(f"cannot be read: {err.strerror}") from err
    if len(data) > most_bytes:
        raise Unreadable(f"larger than the {most_bytes:,} bytes that are read of a text")
    return decode(data)


def decode(data: bytes) -> Text | None:
    """Decode the bytes of a whole file, or return None when they are no text."""
    encoding = _encoding(data[:_HEAD_BYTES])
    if encoding is None:
        return None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding.startswith(("utf-16", "utf-32")):
            text = data.decode(encoding, "replace")
        else:
            encoding, text = "latin-1", data.decode("latin-1")
    return Text(text=text, encoding=encoding, size_bytes=len(data))


def _encoding(head: bytes) -> str | None:
    """Return how to decode bytes that begin so, or None for binary ones."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        return _wide(head)
    strange = len(head) - len(head.translate(None, _CONTROLS))
    return "utf-8" if strange * 100 <= len(head) else None


def _wide(head: bytes) -> str | None:
    even, odd = head[::2], head[1::2]
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count(0) * 10 >= len(zeros) * 9 and others.count(0) == 0:
            return encoding
    return None
