"""The reader of each format: a new format is one small file under `readers` and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.archives import read_zip
from redan.kernels.artifacts.readers.compressed import read_compressed
from redan.kernels.artifacts.readers.gguf import read_gguf
from redan.kernels.artifacts.readers.hdf5 import read_hdf5
from redan.kernels.artifacts.readers.lightgbm import read_lightgbm
from redan.kernels.artifacts.readers.npy import read_npy
from redan.kernels.artifacts.readers.safetensors import read_safetensors
from redan.kernels.artifacts.readers.tars import read_tar

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.source import Source

    Reader = Callable[[Source], str]

_UNREAD = {
    "zstd": "a Zstandard stream",
    "ggml": "GGML",
    "tflite": "TensorFlow Lite",
    "arrow": "Arrow IPC",
}


def _expands(method: str) -> Reader:
    return lambda source: read_compressed(source, method)


def _skips(slug: str) -> Reader:
    return lambda source: slug


def _unread(slug: str) -> Reader:
    def reader(source: Source) -> str:
        source.unknown("unread-format", f"{_UNREAD[slug]} has no reader yet")
        return slug

    return reader


def _disguise(slug: str) -> Reader:
    def reader(source: Source) -> str:
        source.unsafe("disguised-archive", f"a {slug} archive, which no model loader takes and scanners do not open")
        return slug

    return reader


def _executable(source: Source) -> str:
    source.unsafe("native-code", "an executable or a shared library")
    return "executable"


READERS: dict[str, Reader] = {
    "zip": read_zip,
    "tar": read_tar,
    "npy": read_npy,
    "gguf": read_gguf,
    "hdf5": read_hdf5,
    "safetensors": read_safetensors,
    "lightgbm": read_lightgbm,
    "7z": _disguise("7z"),
    "rar": _disguise("rar"),
    "executable": _executable,
    **{slug: _skips(slug) for slug in ("image", "parquet", "pdf")},
    **{method: _expands(method) for method in ("gzip", "bz2", "xz", "lzma", "zlib", "lz4")},
    **{slug: _unread(slug) for slug in _UNREAD},
}
"""From the slug of a sniffed format to its reader."""
