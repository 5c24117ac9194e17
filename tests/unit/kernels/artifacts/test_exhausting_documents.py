"""Documents and code that are written to take time: each ends soon, and none is taken for more than it is."""

from __future__ import annotations

import io
import time
import zipfile

import pytest

from redan.kernels.artifacts import inspect_bytes

MOST_CPU_S = 5.0
"""Ten times what the slowest takes on a quiet machine; before they were bounded, several took minutes."""


def archived(code: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", "{}")
        archive.writestr("h.py", code)
    return file.getvalue()


EXHAUSTING = {
    "nested calls": ("x", archived(b"f(" * 90 + b")" * 90 + b"\n" + b"a.b.c.d.e()\n" * 20_000)),
    "chain of functions": (
        "x",
        archived(b"".join(b"def f%d(): f%d()\n" % (i, i + 1) for i in range(9_000)) + b"f0()\n"),
    ),
    "long attributes": ("x", archived(b"import os\n" + (b"os" + b".a" * 800 + b"\n") * 100)),
    "tags": ("a.yaml", b"a: " + b"!x " * 300_000),
    "handles": ("a.yaml", b"%TAG !a! b\n" * 50_000 + b"x: " + b"!a!b " * 50_000),
    "block scalars": ("a.yaml", b"! |\n" * 250_000),
    "targets": ("a.yaml", b"_target_: a.b\n" * 70_000),
    "prompts": ("a.json", b"[" + b",".join([b'{"prompt": "x"}'] * 200_000) + b"]"),
    "open prompts": ("a.json", b"[" + b",".join([b'"prompt": ["'] * 200_000) + b"]"),
    "messages": ("a", b"\x0a\x02\x0a\x00" * 400_000),
}


@pytest.mark.parametrize("name", EXHAUSTING)
def test_exhausting_document_is_read_to_a_bounded_end(name):
    shown, data = EXHAUSTING[name]
    begin = time.process_time()
    reading = inspect_bytes(data, shown)
    assert time.process_time() - begin < MOST_CPU_S
    assert reading.verdict != "unsafe"
