"""Every parser against mutated real files and against grammars of its format.

Four things hold for any bytes: a parser neither raises nor hangs, stays within its limits, reads the same twice, and
nothing that is added to a file with a hostile part makes the file safer. A short run is part of every check;
`make fuzz` runs more, as many times longer as FUZZ says.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import itertools
import json
import lzma
import os
import pickle
import struct
import tarfile
import time
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redan.kernels.artifacts import Limits, inspect_bytes
from redan.kernels.artifacts.readers.pickles import LONGEST_TRIAL, MOST_CANDIDATES
from redan.kernels.artifacts.readers.python_code import UnreadableCodeError, dangers
from redan.kernels.artifacts.readers.yaml_text import full_tag, handles, tokens

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TIMES = float(os.environ.get("FUZZ") or (50 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 1))
"""How many times longer than in a check to run."""

SMALL = Limits(opcodes=50_000, expanded_bytes=1 << 20, members=500, nodes=20_000, header_bytes=1 << 20)
LONGEST_CPU_S = 5.0
"""No example comes near; only a parser that hangs reaches it."""

GOOD = pickle.dumps({"w": [1, 2.5], "b": (None, "x")}, 4)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


def runs(n: int):
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=max(1, int(n * TIMES)), deadline=None, suppress_health_check=quiet, database=None)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def gguf() -> bytes:
    def text(word: str) -> bytes:
        return struct.pack("<Q", len(word)) + word.encode()

    template = text("tokenizer.chat_template") + struct.pack("<I", 8) + text("{{ messages[0]['content'] }}")
    words = text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    tensor = text("w") + struct.pack("<IQIQ", 1, 4, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + template + words + tensor + bytes(64)


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def hdf5() -> bytes:
    h5py = pytest.importorskip("h5py")
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        made.create_group("layer").create_dataset("kernel", data=np.zeros((2, 2)))
    return file.getvalue()


def seven_zip() -> bytes:
    packed = b"\x06\x00\x01\x09" + bytes([len(GOOD)]) + b"\0"
    folder = b"\x07\x0b\x01\x00\x01\x01\x00\x0c" + bytes([len(GOOD)]) + b"\0"
    names = b"\0" + "a.pkl".encode("utf-16-le") + b"\0\0"
    header = b"\x01\x04" + packed + folder + b"\0\x05\x01\x11" + bytes([len(names)]) + names + b"\0\0"
    start = struct.pack("<QQI", len(GOOD), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + GOOD + header


def arrow() -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": [1, 2]}).replace_schema_metadata({"k": "v"})
    file = io.BytesIO()
    with pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def parquet() -> bytes:
    from pyarrow import parquet as library
    from pyarrow import table

    file = io.BytesIO()
    library.write_table(table({"a": [1, 2]}), file)
    return file.getvalue()


def tflite() -> bytes:
    """A root table with a vector of one operator code whose custom name is `X`."""
    vtable = struct.pack("<HHHH", 8, 8, 0, 4)
    code = struct.pack("<HHHH", 8, 8, 0, 4) + struct.pack("<iI", 8, 4) + struct.pack("<I", 1) + b"X\0\0\0"
    root_at = 8 + len(vtable)
    vector = struct.pack("<II", 1, 4 + 8)
    return struct.pack("<I", root_at) + b"TFL3" + vtable + struct.pack("<iI", len(vtable), 4) + vector + code


def ggml() -> bytes:
    head = b"lmgg" + struct.pack("<7I", 1, 8, 8, 1, 1, 4, 1) + struct.pack("<I", 1) + b"a"
    return head + struct.pack("<III", 1, 1, 0) + struct.pack("<I", 4) + b"w" + bytes(16)


ONNX_NODE = field(1, b"x") + field(2, b"y") + field(4, b"Relu")
TF_NODE = field(1, b"n") + field(2, b"MatMul")

SEEDS = {
    **{f"pickle {n}": functools.partial(pickle.dumps, [{"a": 1.5}, ("x", b"y", {1, 2})], n) for n in range(6)},
    "zip": lambda: zipped(("a/data.pkl", GOOD), ("a/data/0", bytes(40)), ("a/version", b"3")),
    "zip deflated": lambda: zipped(("a.npy", npy(np.zeros(3))), method=zipfile.ZIP_DEFLATED),
    "zip lzma": lambda: zipped(("a", GOOD), method=zipfile.ZIP_LZMA),
    "keras": lambda: zipped(("metadata.json", b"{}"), ("config.json", b'{"class_name": "Dense", "config": {}}')),
    "skops": lambda: zipped(("schema.json", b'{"__loader__": "ObjectNode", "__module__": "a", "__class__": "b"}')),
    "mar": lambda: zipped(("MAR-INF/MANIFEST.json", b"{}"), ("h.py", b"import os\nx = os.path.join('a')\n")),
    "tar": lambda: tarred(("a.pkl", GOOD), ("model_config.yaml", b"_target_: nemo.core.X\n")),
    "gzip": lambda: gzip.compress(GOOD),
    "bz2": lambda: bz2.compress(GOOD),
    "xz": lambda: lzma.compress(GOOD),
    "lzma": lambda: lzma.compress(GOOD, lzma.FORMAT_ALONE),
    "zlib": lambda: zlib.compress(GOOD),
    "zstd": lambda: b"\x28\xb5\x2f\xfd\x20" + bytes([len(GOOD)]) + struct.pack("<I", 1 | len(GOOD) << 3)[:3] + GOOD,
    "7z": seven_zip,
    "npy": lambda: npy(np.zeros((2, 2), [("a", "<f4"), ("b", "U3")])),
    "npy objects": lambda: npy(np.array([{"a": 1}, None], dtype=object)),
    "gguf": gguf,
    "safetensors": safetensors,
    "hdf5": hdf5,
    "onnx": lambda: field(1, 8) + field(7, field(1, ONNX_NODE) + field(2, b"g")) + field(8, field(2, 18)),
    "saved model": lambda: field(1, 1) + field(2, field(2, field(1, TF_NODE))),
    "tf graph": lambda: field(1, TF_NODE) + field(1, TF_NODE),
    "tflite": tflite,
    "catboost": lambda: b"CBM1" + struct.pack("<I", len(tflite())) + tflite(),
    "arrow": arrow,
    "parquet": parquet,
    "ggml": ggml,
    "msgpack": lambda: b"\x82\xa1a\xc4\x03abc\xa1b\x93\x01\x02\xcb" + bytes(8),
    "ubjson": lambda: b"{i\x07learner{i\x01ai\x05i\x01b[$d#i\x02" + bytes(8) + b"}}",
    "json": lambda: b'{"model_type": "x", "auto_map": {"A": "b.C"}, "chat_template": "{{ m[0] }}", "n": [1, 2]}',
    "yaml": lambda: b"a: &x 'b'\nc: [!!float 1, *x]\nd: |\n  text\n_target_: nemo.core.X\n",
    "jinja": lambda: b"{% for m in messages %}{{ m['role'] ~ '\\n' }}{% endfor %}",
    "pmml": lambda: b'<?xml version="1.0"?><!DOCTYPE PMML><PMML version="4.4"><Header/></PMML>',
    "lightgbm": lambda: b"tree\nversion=v4\nTree=0\nleaf_value=1 2\nend of trees\n",
    "python": lambda: b"import os\n@dec\nclass A(metaclass=M):\n    x = os.system\n",
}  # fmt: skip
NAMES = {"jinja": "chat_template.jinja", "yaml": "model.yaml", "json": "config.json"}


@functools.cache
def seed(name: str) -> bytes:
    return SEEDS[name]()


NUMBERS = st.sampled_from(
    [b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", bytes(8),
     b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\1\0\0\0\0\0\0\0", b"\0\0\1\0", b".", b"(", b"{", b"'", b'"', b"\n"]
)  # fmt: skip


@st.composite
def mutated(draw, name: str) -> bytes:
    data = bytearray(seed(name))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(1, 24))
        how = draw(st.integers(0, 6))
        if how == 0 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == 1:
            number = draw(NUMBERS)
            data[at : at + len(number)] = number
        elif how == 2:
            del data[at : at + length]
        elif how == 3:
            data[at:at] = data[at : at + length] * draw(st.integers(1, 5))
        elif how == 4:
            data[at:at] = draw(st.binary(max_size=24))
        elif how == 5:
            del data[at:]
        else:
            other = seed(draw(st.sampled_from(sorted(SEEDS))))
            data[at:at] = other[: draw(st.integers(0, len(other)))]
    return bytes(data)


def check(data: bytes, name: str = "file") -> str:
    """Inspect twice, within limits; the verdict."""
    begin = time.process_time()
    reading = inspect_bytes(data, name, SMALL)
    assert time.process_time() - begin < LONGEST_CPU_S
    assert reading == inspect_bytes(data, name, SMALL)
    assert reading.n_opcodes <= SMALL.opcodes + MOST_CANDIDATES * LONGEST_TRIAL
    assert len(reading.reasons) <= SMALL.reasons
    assert len(reading.calls) <= SMALL.calls
    assert len(reading.members) <= SMALL.listed_members
    assert (reading.verdict == "safe") <= (reading.complete and not reading.reasons)
    return reading.verdict


@pytest.mark.parametrize("name", SEEDS)
def test_seed_is_read_whole(name):
    verdict = check(seed(name), NAMES.get(name, "file"))
    assert verdict in ("safe", "unknown")
    assert inspect_bytes(seed(name), NAMES.get(name, "file")).format not in ("unknown", "empty")


@pytest.mark.parametrize("name", SEEDS)
def test_mutations_of_real_files_are_read_to_an_end(name):
    @given(mutated(name))
    @runs(25)
    def read(data):
        check(data, NAMES.get(name, "file"))

    read()


CARRIERS = {
    "zip": lambda other: zipped(("a", other), ("b", BAD)),
    "zip first": lambda other: zipped(("b", BAD), ("a", other)),
    "zip deflated": lambda other: zipped(("b", BAD), ("a", other), method=zipfile.ZIP_DEFLATED),
    "tar": lambda other: tarred(("a", other), ("b", BAD)),
    "gzip of tar": lambda other: gzip.compress(tarred(("b", BAD), ("a", other))),
    "torch": lambda other: zipped(("a/data.pkl", BAD), ("a/data/0", other), ("a/extra", other)),
    "behind": lambda other: BAD + other,
    "zip behind": lambda other: other + zipped(("b", BAD)),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_nothing_beside_a_hostile_part_makes_a_file_safer(carrier):
    @given(st.sampled_from(sorted(SEEDS)).flatmap(mutated))
    @runs(25)
    def read(other):
        data = CARRIERS[carrier](other)
        if carrier == "behind" and b"PK\x05\x06" in other:
            # the end record of a zip makes what stands before it a prefix of another file
            assert check(data) != "safe"
        else:
            assert check(data) == "unsafe"

    read()


OPCODES = st.sampled_from(
    [b"N", b"K\x01", b"J\1\0\0\0", b"M\1\0", b"\x88", b"\x89", b"G" + bytes(8), b"]", b"}", b")", b"\x8f", b"(", b"0",
     b"1", b"2", b"a", b"e", b"s", b"u", b"t", b"l", b"d", b"\x85", b"\x86", b"\x87", b"\x90", b"\x91", b"b", b"R",
     b"\x81", b"\x92", b"\x93", b"o", b"q\0", b"h\0", b"\x94", b"r\1\0\0\0", b"j\1\0\0\0", b"p2\n", b"g2\n", b"Q",
     b"P1\n", b"\x82\1", b"I1\n", b"F1.0\n", b"L1L\n", b"S'a'\n", b"Va\n", b"\x8c\x01a", b"X\1\0\0\0a", b"C\1a",
     b"U\1a", b"\x8a\1\1", b"\x95\4\0\0\0\0\0\0\0", b"\x97", b"\x98", b"ccollections\nOrderedDict\n", b".",
     b"cbuiltins\nint\n", b"icollections\nOrderedDict\n", b"\x80\4", b"B\1\0\0\0a", b"T\1\0\0\0a", b"\x96" + bytes(8)]
)  # fmt: skip


@given(st.lists(OPCODES, max_size=60))
@runs(400)
def test_any_sequence_of_opcodes_is_read_to_an_end(program):
    check(b"\x80\x04" + b"".join(program) + b".")
    assert check(BAD[:-1] + b"0" + b"".join(program) + b".") == "unsafe"


WORDS = st.sampled_from(
    ["chat_template", "auto_map", "_target_", "target", "params", "class_name", "config", "module", "function",
     "layers", "weight_map", "__loader__", "__class__", "__module__", "content", "cells", "model_type",
     "_diffusers_version",
     "_class_name", "registered_name", "custom_pipelines", "learner", "version", "vocab_file", "Lambda", "os.system",
     "../x", "{{ x }}", "Dense", "function_type", "a/b--c.D", "modeling.M"]
)  # fmt: skip
DOCUMENTS = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=25,
)


@given(DOCUMENTS)
@runs(300)
def test_any_document_of_telling_words_is_read_to_an_end(document):
    check(json.dumps(document).encode(), "config.json")
    assert check(json.dumps({"x": document, "_target_": "os.system"}).encode(), "config.json") == "unsafe"


MESSAGES = st.recursive(
    st.binary(max_size=6) | st.sampled_from([b"PyFunc", b"Relu", b"../w", b"location", b'{"a": 1}']),
    lambda inner: st.lists(st.tuples(st.integers(1, 26), inner), max_size=5).map(
        lambda parts: b"".join(field(number, part) for number, part in parts)
    ),
    max_leaves=15,
)


@given(st.sampled_from([b"", b"\x08\x01", b"\x08\x08"]), MESSAGES, st.integers(1, 26))
@runs(300)
def test_any_message_is_read_to_an_end(head, message, number):
    check(head + field(number, message))


TEMPLATES = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", " x ", ".", "[", "]", "'a'", '"b"', "'__", "|", "attr", "~", "+", "(", ")",
         "for", "in", "set", "=", "range", "99999999", "\\x5f", "messages", "\n", "{", "}", "%", "'", '"', "-"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(TEMPLATES)
@runs(300)
def test_any_template_is_read_to_an_end(text):
    check(text.encode(), "chat_template.jinja")
    assert check(b"{{ x.__class__ }}" + text.encode(), "chat_template.jinja") == "unsafe"


YAML = st.lists(
    st.sampled_from(
        ["a", ": ", "\n", "  ", "- ", "? ", "'", '"', "|", ">", ">-\n", "[", "]", "{", "}", ",", "&x ", "*x", "#", "!",
         "!!str ", "!<", ">", "%TAG ! ", "---\n", "...\n", "\\", "\t", "_target_", "nemo.core.X", "é"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(YAML)
@runs(300)
def test_any_yaml_is_cut_into_tokens_to_its_end(text):
    found = list(tokens(text))
    assert all(a.at < b.at for a, b in itertools.pairwise(found))
    assert all(isinstance(full_tag(token.text, handles(text)), str) for token in found if token.kind == "tag")
    check(text.encode(), "a.yaml")
    assert check(b"_target_: os.system\n" + text.encode(), "a.yaml") == "unsafe"


PYTHON = st.lists(
    st.sampled_from(
        ["import os\n", "from os import system\n", "def f(x=1):\n", "class A(B):\n", "    ", "x = 1\n", "f()\n", "@f\n",
         "os.system('x')\n", "getattr(os, x)\n", "if __name__ == '__main__':\n", "lambda: 0\n", "(", ")", "[", "]",
         "'", '"""', "\\\n", "\0", "pass\n", "return\n", "eval", ".", ":", "\n", "f'{x}'\n"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(PYTHON)
@runs(300)
def test_any_python_is_judged_or_refused(text):
    try:
        found = dangers(text)
    except UnreadableCodeError:
        found = []
    assert all(danger.line >= 1 and danger.what for danger in found)
    check(zipped(("MAR-INF/MANIFEST.json", b"{}"), ("h.py", text.encode())))
