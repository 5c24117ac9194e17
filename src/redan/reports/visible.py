"""Hostile text made visible: control characters, escape sequences, bidirectional overrides, lone surrogates.

Paths, class names and member names come from files that somebody else wrote. A terminal, a browser and an XML parser
each do something with characters that a reader cannot see; so every writer passes foreign text through here first.
"""

from __future__ import annotations

from unicodedata import category

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories whose characters are invisible, reorder text, or may not be written at all."""


def visible(text: str, *, keep: str = "") -> str:
    r"""Return the text with every invisible character written as an escape such as ``\x1b`` or ``\u202e``.

    Args:
        text: anything, lone surrogates included.
        keep: characters to leave alone, for example a newline where lines are wanted.

    Returns:
        Text that can be encoded as UTF-8 and holds only XML 1.0 characters.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or category(c) not in _HIDDEN else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, most: int) -> str:
    """Return at most ``most`` characters of the text and say how many are missing, so that no cut is silent."""
    if len(text) <= most:
        return text
    return f"{text[:most]} [+{len(text) - most:,} characters]"
