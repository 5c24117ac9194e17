"""Opcodes that push a literal."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from redan.kernels.artifacts.machine.machine import Broken
from redan.kernels.artifacts.machine.values import BUFFER, NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.machine.machine import Handler, Machine

_INT32 = Struct("<i").unpack_from
_UINT16 = Struct("<H").unpack_from
_UINT32 = Struct("<I").unpack_from
_UINT64 = Struct("<Q").unpack_from

LONGEST_KEPT = 1 << 20
"""Bytes of one string or bytes literal whose content is kept as evidence."""

OBJECT_BYTES = 50
"""What a short string costs beside its text."""


def binint1(m: Machine, pos: int) -> int:
    """Push a one-byte unsigned int."""
    m.push(m.data[pos])
    return pos + 1


def binint2(m: Machine, pos: int) -> int:
    """Push a two-byte unsigned int."""
    m.push(_UINT16(m.data, pos)[0])
    return pos + 2


def binint(m: Machine, pos: int) -> int:
    """Push a four-byte signed int."""
    m.push(_INT32(m.data, pos)[0])
    return pos + 4


def binfloat(m: Machine, pos: int) -> int:
    """Push an eight-byte float, whose value is never evidence."""
    if pos + 8 > m.size:
        raise Broken("a float reaches beyond the end")
    m.push(NUMBER)
    return pos + 8


def short_binunicode(m: Machine, pos: int) -> int:
    """Push a string with a one-byte length."""
    start = pos + 1
    end = start + m.data[pos]
    if end > m.size:
        raise Broken("a string reaches beyond the end")
    m.n_text_bytes += OBJECT_BYTES + end - start
    m.push(str(m.data[start:end], "utf-8", "surrogatepass"))
    return end


def _take(m: Machine, start: int, n_bytes: int) -> int:
    end = start + n_bytes
    if n_bytes < 0 or end > m.size:
        raise Broken("a literal reaches beyond the end")
    m.n_text_bytes += OBJECT_BYTES + (n_bytes if n_bytes <= LONGEST_KEPT else 0)
    return end


def _text(unpack: Callable[..., tuple[int]], n_prefix: int, encoding: str, errors: str) -> Handler:
    def handler(m: Machine, pos: int) -> int:
        start = pos + n_prefix
        n_bytes = unpack(m.data, pos)[0]
        end = _take(m, start, n_bytes)
        m.push(str(m.data[start:end], encoding, errors) if n_bytes <= LONGEST_KEPT else TEXT)
        return end

    return handler


def _bytes(unpack: Callable[..., tuple[int]], n_prefix: int) -> Handler:
    def handler(m: Machine, pos: int) -> int:
        start = pos + n_prefix
        n_bytes = unpack(m.data, pos)[0]
        end = _take(m, start, n_bytes)
        m.push(bytes(m.data[start:end]) if n_bytes <= LONGEST_KEPT else m.judge.long_bytes(start, end))
        return end

    return handler


def _uint8(data: bytes, pos: int) -> tuple[int]:
    return (data[pos],)


def none(m: Machine, pos: int) -> int:
    """Push None."""
    m.push(None)
    return pos


def true(m: Machine, pos: int) -> int:
    """Push True."""
    m.push(True)
    return pos


def false(m: Machine, pos: int) -> int:
    """Push False."""
    m.push(False)
    return pos


def long1(m: Machine, pos: int) -> int:
    """Push an int of up to 255 bytes."""
    end = _take(m, pos + 1, m.data[pos])
    m.n_judged += end - pos > 9
    m.push(int.from_bytes(bytes(m.data[pos + 1 : end]), "little", signed=True))
    return end


def long4(m: Machine, pos: int) -> int:
    """Push an int of any size; one longer than 64 bytes only as a number."""
    n_bytes = _INT32(m.data, pos)[0]
    end = _take(m, pos + 4, n_bytes)
    m.n_judged += 1
    m.push(int.from_bytes(bytes(m.data[pos + 4 : end]), "little", signed=True) if n_bytes <= 64 else NUMBER)
    return end


def int_line(m: Machine, pos: int) -> int:
    """Push an int or a bool written in decimal."""
    text, end = m.line(pos)
    if text in (b"00", b"01"):
        m.push(text == b"01")
    else:
        m.push(int(text, 0) if len(text) < 100 else NUMBER)
    return end


def long_line(m: Machine, pos: int) -> int:
    """Push an int written in decimal with an optional L."""
    text, end = m.line(pos)
    m.push(int(text.removesuffix(b"L"), 0) if len(text) < 100 else NUMBER)
    return end


def float_line(m: Machine, pos: int) -> int:
    """Push a float written in decimal."""
    text, end = m.line(pos)
    float(text)
    m.push(NUMBER)
    return end


def string_line(m: Machine, pos: int) -> int:
    """Push a quoted protocol-0 string; the escapes are resolved, because names may hide in them."""
    text, end = m.line(pos)
    text = text.strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise Broken("a STRING has no quotes")
    m.n_text_bytes += OBJECT_BYTES + len(text)
    body = text[1:-1]
    is_escaped = b"\\" in body
    m.n_judged += is_escaped
    m.push(body.decode("unicode_escape" if is_escaped else "latin-1"))
    return end


def unicode_line(m: Machine, pos: int) -> int:
    """Push a raw-unicode-escape string."""
    text, end = m.line(pos)
    _take(m, pos, len(text))
    m.push(text.decode("raw_unicode_escape") if len(text) <= LONGEST_KEPT else TEXT)
    return end


def next_buffer(m: Machine, pos: int) -> int:
    """Push an out-of-band buffer, which only the caller of the loader can supply."""
    m.push(BUFFER)
    return pos


def readonly_buffer(m: Machine, pos: int) -> int:
    """Mark the top buffer read-only."""
    del m
    return pos


TABLE: dict[int, Handler] = {
    0x4B: binint1,
    0x4D: binint2,
    0x4A: binint,
    0x47: binfloat,
    0x8C: short_binunicode,
    0x58: _text(_UINT32, 4, "utf-8", "surrogatepass"),
    0x8D: _text(_UINT64, 8, "utf-8", "surrogatepass"),
    0x55: _text(_uint8, 1, "latin-1", "strict"),
    0x54: _text(_INT32, 4, "latin-1", "strict"),
    0x43: _bytes(_uint8, 1),
    0x42: _bytes(_UINT32, 4),
    0x8E: _bytes(_UINT64, 8),
    0x96: _bytes(_UINT64, 8),
    0x4E: none,
    0x88: true,
    0x89: false,
    0x8A: long1,
    0x8B: long4,
    0x49: int_line,
    0x4C: long_line,
    0x46: float_line,
    0x53: string_line,
    0x56: unicode_line,
    0x97: next_buffer,
    0x98: readonly_buffer,
}
