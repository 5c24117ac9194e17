"""Which format a buffer has, told by its content alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.tars import is_tar
from redan.kernels.artifacts.readers.zips import has_end_record

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", "npy"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"GGUF", "gguf"),
    (b"ggml", "ggml"),
    (b"algg", "ggml"),
    (b"lmgg", "ggml"),
    (b"fmgg", "ggml"),
    (b"tjgg", "ggml"),
    (b"PAR1", "parquet"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"%PDF", "pdf"),
    (b"\x7fELF", "executable"),
    (b"\xca\xfe\xba\xbe", "executable"),
    (b"\xcf\xfa\xed\xfe", "executable"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "feather1"),
    (b"ORC", "orc"),
    (b"CBM1", "catboost"),
    (b"ID3", "audio"),
    (b"OggS", "audio"),
    (b"fLaC", "audio"),
    (b"PK\x03\x04", "zip"),
    (b"tree\n", "lightgbm"),
)

_BY_FIRST_BYTE: dict[int, list[tuple[bytes, str]]] = {}
for _magic, _slug in _MAGIC:
    _BY_FIRST_BYTE.setdefault(_magic[0], []).append((_magic, _slug))

_LZMA_ALONE = re.compile(rb"[\x00-\xe0]\x00{0,2}[\s\S]{3}[\x00-\x0f](?:\xff{8}|[\s\S]{4}\x00{4})")


_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{8}")
"""A length of eight letters would be that of no file."""


def sniff(data: Buffer) -> str:
    """The slug of the format, or an empty string where the first bytes do not tell."""
    head = bytes(data[:64])
    if not head:
        return "empty"
    if has_end_record(data) and (head[:2] == b"PK" or not is_tar(data)):
        # Loaders find an archive from its end, whatever stands before it.
        return "zip"
    for magic, slug in _BY_FIRST_BYTE.get(head[0], ()):
        if head.startswith(magic):
            return slug
    if head[0] == 0x80 and len(head) > 1 and (head[1] <= 5 or head[1] == 0xFF):
        return "pickle"
    return _by_structure(data, head)


def _by_structure(data: Buffer, head: bytes) -> str:
    if head[:4] == b"\xff\xff\xff\xff" and 8 < int.from_bytes(head[4:8], "little") < len(data):
        return "arrow"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"WAVE"):
        return "image" if head[8:12] == b"WEBP" else "audio"
    if head[0] == 0x78 and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    if head[0] == 0x5D and _LZMA_ALONE.match(head):
        return "lzma"
    if is_tar(data):
        return "tar"
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") >= 2 and not _TEXT.match(head):
        return "safetensors"
    return ""
