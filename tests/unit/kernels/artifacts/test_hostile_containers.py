"""A hostile pickle in every container, nested, renamed, damaged and hidden; the same with an honest one inside."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from redan.kernels.artifacts import inspect_bytes

GOOD = pickle.dumps({"w": [1, 2]}, 4)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."
DEEP = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(name: str, content: bytes, mode: str = "w", kind: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=kind) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def npy(content: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def torch_zip(content: bytes, root: str = "archive", **more: bytes) -> bytes:
    members = [(f"{root}/data.pkl", content), (f"{root}/byteorder", b"little"), (f"{root}/data/0", bytes(64)),
               (f"{root}/version", b"3\n")]  # fmt: skip
    return zipped(*members, *((f"{root}/{name}", data) for name, data in more.items()))


def keras_zip(content: bytes) -> bytes:
    return zipped(("metadata.json", b"{}"), ("config.json", b"{}"), ("assets/x/vocab.bin", content))


def mar(content: bytes) -> bytes:
    manifest = {"model": {"modelName": "m", "serializedFile": "m.pt"}, "archiverVersion": "0.9"}
    return zipped(("MAR-INF/MANIFEST.json", json.dumps(manifest).encode()), ("m.pt", content))


WRAPPERS = {
    "zip stored": lambda data: zipped(("a.pkl", data)),
    "zip deflated": lambda data: zipped(("a", data), method=zipfile.ZIP_DEFLATED),
    "zip bz2": lambda data: zipped(("x/y.txt", data), method=zipfile.ZIP_BZIP2),
    "zip lzma": lambda data: zipped(("picture.png", data), method=zipfile.ZIP_LZMA),
    "tar": lambda data: tarred("a.pkl", data),
    "tar gnu": lambda data: tarred("b/" * 60 + "a", data, kind=tarfile.GNU_FORMAT),
    "tar ustar": lambda data: tarred("weights.safetensors", data, kind=tarfile.USTAR_FORMAT),
    "tar.gz": lambda data: tarred("a", data, "w:gz"),
    "tar.bz2": lambda data: tarred("a", data, "w:bz2"),
    "tar.xz": lambda data: tarred("a", data, "w:xz"),
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "xz crc32": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zlib best": lambda data: zlib.compress(data, 9),
    "zlib fast": lambda data: zlib.compress(data, 1),
    "two gzip members": lambda data: gzip.compress(b"") + gzip.compress(data),
    "npy": npy,
    "npz": lambda data: zipped(("arr_0.npy", npy(data))),
    "npz deflated": lambda data: zipped(("arr_0", npy(data)), method=zipfile.ZIP_DEFLATED),
    "torch": torch_zip,
    "torch other root": lambda data: torch_zip(data, "model/sub"),
    "torch extra": lambda data: torch_zip(GOOD, **{"extra/file": data}),
    "torch script constants": lambda data: torch_zip(GOOD, **{"constants.pkl": data}),
    "torch attributes": lambda data: torch_zip(GOOD, **{"code/__torch__.py": b"x = 1", "attributes.pkl": data}),
    "torch dot data": lambda data: torch_zip(GOOD, **{".data/extern_modules": b"", "data/x/y.pkl": data}),
    "keras": keras_zip,
    "mar": mar,
    "skops": lambda data: zipped(("schema.json", b'{"__loader__": "x"}'), ("0.npy", data)),
    "after junk stream": lambda data: GOOD + data,
    "after zeros": lambda data: GOOD + bytes(100) + data,
    "zip after pickle": lambda data: GOOD + zipped(("a", data)),
    "pickle before zip": lambda data: data + zipped(("a", GOOD)),
    "zip comment": lambda data: zipped(("a", data))[:-2] + b"\x05\x00hello",
    "zip in the middle": lambda data: b"#!/bin/true\n" + zipped(("a", data)),
    "nested in bytes": lambda data: (
        b"\x80\x02ctorch.storage\n_load_from_bytes\nC" + bytes([len(data)]) + data + b"\x85R."
    ),
}
SAFE_WITH_GOOD = [
    "zip stored", "zip deflated", "zip bz2", "zip lzma", "tar", "tar gnu", "tar ustar", "tar.gz", "tar.bz2", "tar.xz",
    "gzip", "bz2", "xz", "xz crc32", "lzma", "zlib", "zlib best", "zlib fast", "npy", "npz", "npz deflated", "torch",
    "torch other root", "mar", "after junk stream", "after zeros",
]  # fmt: skip


@pytest.mark.parametrize("payload", [BAD, DEEP], ids=["global", "stack global"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_hostile_pickle_is_unsafe_in_every_container(wrapper, payload):
    assert inspect_bytes(WRAPPERS[wrapper](payload), "model.bin").verdict == "unsafe"


@pytest.mark.parametrize("wrapper", SAFE_WITH_GOOD)
def test_honest_pickle_is_safe_in_the_containers_that_loaders_take(wrapper):
    assert inspect_bytes(WRAPPERS[wrapper](GOOD), "model.bin").verdict == "safe"


FILES = [name for name in WRAPPERS if name not in ("after junk stream", "after zeros", "nested in bytes", "npy")]
OUTER = ["zip stored", "zip deflated", "zip lzma", "tar", "gzip", "xz", "zlib", "torch extra", "keras", "mar"]


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(OUTER, FILES)))
def test_hostile_pickle_is_unsafe_in_a_container_in_a_container(outer, inner):
    assert inspect_bytes(WRAPPERS[outer](WRAPPERS[inner](BAD)), "model.bin").verdict == "unsafe"


@pytest.mark.parametrize(
    "name", ["../a", "../../etc/cron.d/x", "/etc/x", "a/../../b", "C:\\x", "..\\x", "a\\..\\..\\b"]
)
def test_member_that_leaves_the_folder_is_unsafe(name):
    assert inspect_bytes(zipped((name, GOOD)), "m.zip").verdict == "unsafe"
    assert inspect_bytes(tarred(name, GOOD), "m.tar").verdict == "unsafe"
    assert inspect_bytes(gzip.compress(tarred(name, GOOD)), "m.tar.gz").verdict == "unsafe"


def patched(data: bytes, signature: bytes, at: int, value: bytes) -> bytes:
    start = data.find(signature)
    return data[: start + at] + value + data[start + at + len(value) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
DAMAGE = {
    "wrong crc": lambda d: patched(d, CENTRAL, 16, b"\1\2\3\4"),
    "encrypted flag": lambda d: patched(d, CENTRAL, 8, b"\1\0"),
    "encrypted flags": lambda d: patched(patched(d, CENTRAL, 8, b"\1\0"), LOCAL, 6, b"\1\0"),
    "strong flags": lambda d: patched(d, CENTRAL, 8, b"\x40\x20"),
    "other local name": lambda d: patched(d, LOCAL, 30, b"z"),
    "version": lambda d: patched(d, CENTRAL, 6, b"\xff\0"),
    "size zero": lambda d: patched(d, CENTRAL, 24, b"\0\0\0\0"),
    "local sizes zero": lambda d: patched(d, LOCAL, 18, bytes(8)),
    "no count": lambda d: patched(d, END, 8, bytes(4)),
    "disk number": lambda d: patched(d, CENTRAL, 34, b"\1\0"),
    "attributes": lambda d: patched(d, CENTRAL, 38, b"\xff\xff\xff\xff"),
    "directory offset": lambda d: patched(d, END, 16, b"\0\0\0\0"),
    "no directory": lambda d: d[: d.find(CENTRAL)],
    "no end": lambda d: d[: d.find(END)],
    "second end": lambda d: d + END + bytes(18),
    "directory name": lambda d: patched(d, CENTRAL, 46, b"/"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_archive_does_not_hide_its_pickle(damage):
    assert inspect_bytes(DAMAGE[damage](zipped(("abc", BAD))), "m.zip").verdict == "unsafe"
    assert inspect_bytes(DAMAGE[damage](torch_zip(BAD)), "m.pt").verdict == "unsafe"


def test_member_that_only_one_of_two_directories_names_is_read():
    good, bad = zipped(("a", GOOD)), zipped(("b", BAD))
    assert inspect_bytes(good + bad, "m.zip").verdict == "unsafe"
    assert inspect_bytes(bad + good, "m.zip").verdict == "unsafe"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_link_or_device_is_unsafe(kind):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert inspect_bytes(file.getvalue(), "m.tar").verdict == "unsafe"


def test_array_of_an_object_field_is_unsafe_with_a_hostile_pickle():
    header = b"{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + BAD
    assert inspect_bytes(data, "a.npy").verdict == "unsafe"
    assert data.startswith(np.lib.format.MAGIC_PREFIX)
