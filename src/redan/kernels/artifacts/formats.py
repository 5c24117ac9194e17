"""The reader of each format: a new format is one small file under `readers` and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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


def _late(module: str, function: str) -> Reader:
    """A reader whose module is imported with the first file that needs it: most scans meet one or two formats."""

    def reader(source: Source) -> str:
        found: Reader = getattr(import_module(f"redan.kernels.artifacts.readers.{module}"), function)
        return found(source)

    return reader


def _expands(method: str) -> Reader:
    def reader(source: Source) -> str:
        from redan.kernels.artifacts.readers.compressed import read_compressed

        return read_compressed(source, method)

    return reader


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
    "zip": _late("archives", "read_zip"),
    "tar": _late("tars", "read_tar"),
    "npy": _late("npy", "read_npy"),
    "gguf": _late("gguf", "read_gguf"),
    "hdf5": _late("hdf5", "read_hdf5"),
    "safetensors": _late("safetensors", "read_safetensors"),
    "lightgbm": _late("lightgbm", "read_lightgbm"),
    "7z": _disguise("7z"),
    "rar": _disguise("rar"),
    "executable": _executable,
    **{slug: _skips(slug) for slug in ("image", "parquet", "pdf")},
    **{method: _expands(method) for method in ("gzip", "bz2", "xz", "lzma", "zlib", "lz4")},
    **{slug: _unread(slug) for slug in _UNREAD},
}
"""From the slug of a sniffed format to its reader."""
