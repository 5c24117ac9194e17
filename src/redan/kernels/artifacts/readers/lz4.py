"""LZ4 frames, which joblib can write. Source: lz4_Frame_format.md 1.6 and lz4_Block_format.md.

The standard library has no decoder; this one is slow, and the limit on produced bytes counts its bytes four times.
"""

from __future__ import annotations

_MAGIC = b"\x04\x22\x4d\x18"
_WINDOW = 1 << 16


class Lz4Decoder:
    """Decodes one frame, a block at a time, in the shape of `bz2`'s decoder."""

    def __init__(self) -> None:
        self.eof = False
        self.needs_input = True
        self.unused_data = b""
        self._input = bytearray()
        self._window = bytearray()
        self._has_header = False
        self._block_checksum = self._content_checksum = 0

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take input and give what one more block produces; `max_length` is not looked at, a block has at most 4 MiB.

        Raises:
            ValueError: The frame is malformed.
        """
        del max_length
        self._input += data
        self.needs_input = False
        if not self._has_header and not self._read_header():
            self.needs_input = True
            return b""
        return self._read_block()

    def _read_header(self) -> bool:
        if len(self._input) < 19 and len(self._input) < 7:
            return False
        if self._input[:4] != _MAGIC or self._input[4] >> 6 != 1:
            raise ValueError("no LZ4 frame")
        flags = self._input[4]
        self._block_checksum = 4 if flags & 0x10 else 0
        self._content_checksum = 4 if flags & 0x04 else 0
        n_header = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
        if len(self._input) < n_header:
            return False
        del self._input[:n_header]
        self._has_header = True
        return True

    def _read_block(self) -> bytes:
        size = int.from_bytes(self._input[:4], "little")
        n_bytes = size & 0x7FFFFFFF
        if len(self._input) < 4 or (size and len(self._input) < 4 + n_bytes + self._block_checksum):
            self.needs_input = True
            return b""
        if size == 0:
            self.eof = True
            self.unused_data = bytes(self._input[4 + self._content_checksum :])
            return b""
        block = bytes(self._input[4 : 4 + n_bytes])
        del self._input[: 4 + n_bytes + self._block_checksum]
        produced = block if size >> 31 else self._expand(block)
        self._window = (self._window + produced)[-_WINDOW:]
        return produced

    def _expand(self, block: bytes) -> bytes:
        out = bytearray(self._window)
        start = len(out)
        pos = 0
        while pos < len(block):
            token = block[pos]
            n_literals, pos = _length(block, pos + 1, token >> 4)
            out += block[pos : pos + n_literals]
            pos += n_literals
            if pos >= len(block):
                break
            distance = int.from_bytes(block[pos : pos + 2], "little")
            n_match, pos = _length(block, pos + 2, token & 15)
            _copy(out, distance, n_match + 4)
            if len(out) - start > 1 << 22:
                raise ValueError("a block is longer than 4 MiB")
        return bytes(out[start:])


def _length(block: bytes, pos: int, n: int) -> tuple[int, int]:
    if n == 15:
        while True:
            if pos >= len(block):
                raise ValueError("a length has no end")
            more = block[pos]
            pos += 1
            n += more
            if more != 255:
                break
    return n, pos


def _copy(out: bytearray, distance: int, n_bytes: int) -> None:
    if not 0 < distance <= len(out):
        raise ValueError("a match lies before the window")
    piece = bytes(out[-distance:])
    out += (piece * (n_bytes // distance + 1))[:n_bytes]
