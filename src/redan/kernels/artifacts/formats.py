"""The reader of each format: a new format is one small file under `readers` and one line here.

A reader's module is imported when its format is met, so that a plain pickle costs no more than its own reader.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.source import Source

    Reader = Callable[[Source], str]

_MODULES = {
    "zip": "archives.read_zip",
    "tar": "tars.read_tar",
    "npy": "npy.read_npy",
    "gguf": "gguf.read_gguf",
    "hdf5": "hdf5.read_hdf5",
    "safetensors": "safetensors.read_safetensors",
    "lightgbm": "lightgbm.read_lightgbm",
    "7z": "seven_zip.read_7z",
    "zstd": "zstd.read_zstd",
    "tflite": "tflite.read_tflite",
    "catboost": "catboost.read_catboost",
    "arrow": "arrow.read_arrow",
    "parquet": "arrow.read_parquet",
    "ggml": "ggml.read_ggml",
}

_COMPRESSED = frozenset({"gzip", "bz2", "xz", "lzma", "zlib", "lz4"})

_UNREAD = {
    "feather1": "the first version of Feather",
    "orc": "ORC",
}

_NO_MODELS = frozenset({"image", "pdf", "audio"})

_DISGUISES = {
    "rar": "a RAR archive, which no model loader takes and scanners do not open",
    "executable": "an executable or a shared library",
}


def reader(slug: str) -> Reader | None:
    """The reader of a sniffed format; None where the slug is empty or only `plain` can tell."""
    if slug in _MODULES:
        module, _, name = _MODULES[slug].partition(".")
        found: Reader = getattr(import_module(f"redan.kernels.artifacts.readers.{module}"), name)
        return found
    if slug in _COMPRESSED:
        from redan.kernels.artifacts.readers.compressed import read_compressed

        return partial(read_compressed, method=slug)
    if slug in _UNREAD or slug in _DISGUISES or slug in _NO_MODELS:
        return partial(_note, slug=slug)
    return None


_NATIVE_NAMES = (".so", ".pyd", ".dylib", ".dll", ".exe", ".o", ".a")


def _note(source: Source, slug: str) -> str:
    """Say of a format without a reader why it has none."""
    named = source.name.endswith(_NATIVE_NAMES) or ".so." in source.name
    if slug == "executable" and named and source.depth == 0:
        # on its own it pretends nothing, but a model's custom operators may be such a file
        source.unknown("native-code", "an executable or a shared library, which is not judged")
    elif slug in _UNREAD:
        source.unknown("unread-format", f"{_UNREAD[slug]} has no reader yet")
    elif slug in _DISGUISES:
        source.unsafe("disguised-file", _DISGUISES[slug])
    return slug
