"""Artifacts against arbitrary and damaged bytes, and the abstract machine against Python's own unpickler."""

from __future__ import annotations

import bz2
import collections
import datetime
import decimal
import fractions
import gzip
import io
import pickle
import struct
import uuid
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from redan.kernels.artifacts import Limits, inspect_bytes
from redan.kernels.artifacts.judgement.judge import Judge
from redan.kernels.artifacts.ledger import Ledger
from redan.kernels.artifacts.machine.calls import OPCODES
from redan.kernels.artifacts.machine.machine import Machine
from redan.kernels.artifacts.readers.pickles import LONGEST_TRIAL, MOST_CANDIDATES

SMALL = Limits(opcodes=200_000, expanded_bytes=4 << 20, members=2_000, nodes=50_000)

KEYS = st.one_of(st.integers(), st.text(max_size=8), st.binary(max_size=8), st.booleans(), st.none())
PLAIN = st.recursive(
    st.one_of(KEYS, st.floats(), st.integers(-(2**80), 2**80), st.text(max_size=300), st.binary(max_size=300)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.tuples(inner, inner),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
    ),
    max_leaves=20,
)
OBJECTS = st.one_of(
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3).map(collections.OrderedDict),
    st.lists(st.integers(), max_size=4).map(collections.deque),
    st.text(max_size=6).map(collections.Counter),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.complex_numbers(),
    st.builds(range, st.integers(0, 9)),
    st.builds(slice, st.integers(0, 9), st.none()),
    st.binary(max_size=9).map(bytearray),
    st.lists(st.floats(width=32), max_size=6).map(np.array),
    st.integers(-128, 127).map(np.int8),
    st.floats().map(np.float64),
    st.sampled_from(["f4", ">i8", "U3", "?"]).map(np.dtype),
)
VALUES = st.recursive(st.one_of(PLAIN, OBJECTS), lambda inner: st.lists(inner, max_size=4), max_leaves=8)
PROTOCOLS = st.integers(0, 5)

DENIED = [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("pickle", "loads"), ("runpy", "run_path")]


class Recorder(pickle.Unpickler):
    """Python's own unpickler, which notes what it resolves; only ever given pickles that were made right here."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.names: list[tuple[str, str]] = []

    def find_class(self, module, name):
        self.names.append((module, name))
        return super().find_class(module, name)


class Imports(Judge):
    """A judge that notes the names that a stream imports."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, "")
        self.names: list[tuple[str, str]] = []

    def imported(self, module, name, offset):
        self.names.append((module, name))
        return super().imported(module, name, offset)


def gadget(protocol: int, module: str, name: str) -> bytes:
    """Opcodes that import and call a denied name and drop the result."""
    if protocol < 4:
        return f"c{module}\n{name}\n(S'x'\ntR0".encode()
    parts = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return parts + b"\x93\x8c\x01x\x85R0"


@given(VALUES, PROTOCOLS)
@settings(max_examples=150, deadline=None)
def test_machine_sees_the_imports_that_the_unpickler_resolves(value, protocol):
    data = pickle.dumps(value, protocol)
    real = Recorder(data)
    real.load()
    judge = Imports(Ledger(Limits()))
    outcome = Machine(data, judge, OPCODES).run(0, judge.ledger)
    assert outcome.stopped
    assert outcome.end == len(data)
    assert judge.names == real.names


@given(VALUES, PROTOCOLS)
@settings(max_examples=150, deadline=None)
def test_plain_data_and_listed_classes_are_safe(value, protocol):
    data = pickle.dumps(value, protocol)
    reading = inspect_bytes(data, "model.pkl")
    if reading.format == "pickle":
        assert (reading.verdict, reading.reasons) == ("safe", ())
    else:
        # A short text pickle may be a text or a table just as well; whichever it is taken for, it is not unsafe.
        assert protocol < 2
        assert reading.verdict != "unsafe"


@given(st.binary(max_size=2_000))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_read_to_an_end(data):
    reading = inspect_bytes(data, "file", SMALL)
    assert reading.n_opcodes <= SMALL.opcodes + MOST_CANDIDATES * LONGEST_TRIAL
    assert (reading.verdict == "safe") <= reading.complete


MAGICS = st.sampled_from([
    b"\x80\x04", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"GGUF\x03\x00\x00\x00", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08",
    b"BZh9", b"\xfd7zXZ\x00", b"\x04\x22\x4d\x18", b"tree\n", b"{i", b"\x08\x07", b"<?xml", b"\x78\x9c",
    struct.pack("<Q", 9) + b"{",
])  # fmt: skip


@given(MAGICS, st.binary(max_size=1_500))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_behind_a_known_beginning_never_raise(magic, tail):
    inspect_bytes(magic + tail, "file", SMALL)


def _zip(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/data/0", bytes(64))
    return file.getvalue()


def _npy(content: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


WRAPPERS = {"plain": bytes, "zip": _zip, "gzip": gzip.compress, "bz2": bz2.compress, "npy": _npy}


@given(VALUES, PROTOCOLS, st.sampled_from(sorted(WRAPPERS)), st.data())
@settings(max_examples=200, deadline=None)
def test_truncated_files_are_never_safe(value, protocol, wrapper, data):
    whole = WRAPPERS[wrapper](pickle.dumps(value, max(2, protocol)))
    shortest = {"plain": 2, "npy": len(_npy(b"")) + 1}.get(wrapper, 8)
    cut = data.draw(st.integers(shortest, len(whole) - 1))
    reading = inspect_bytes(whole[:cut], "file", SMALL)
    assert reading.verdict != "safe"


@given(VALUES, PROTOCOLS, st.sampled_from(sorted(WRAPPERS)), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_files_never_raise_and_read_the_same_twice(value, protocol, wrapper, data):
    whole = bytearray(WRAPPERS[wrapper](pickle.dumps(value, protocol)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    first = inspect_bytes(bytes(whole), "file", SMALL)
    assert first == inspect_bytes(bytes(whole), "file", SMALL)


@given(VALUES, PROTOCOLS, st.sampled_from(DENIED), st.sampled_from(sorted(WRAPPERS)))
@settings(max_examples=150, deadline=None)
def test_denied_import_before_anything_else_is_unsafe(value, protocol, name, wrapper):
    stream = pickle.dumps(value, protocol)
    prefix = 0 if protocol < 2 else 2
    # A frame's length is only a hint, so opcodes may stand before the frame.
    hostile = stream[:prefix] + gadget(protocol, *name) + stream[prefix:]
    reading = inspect_bytes(WRAPPERS[wrapper](hostile), "file")
    assert reading.verdict == "unsafe"
    assert any(call.callable == ".".join(name) for call in reading.calls)


@given(VALUES, PROTOCOLS, st.sampled_from(DENIED), st.data())
@settings(max_examples=200, deadline=None)
def test_damage_behind_a_denied_import_never_makes_it_safe(value, protocol, name, data):
    stream = pickle.dumps(value, protocol)
    prefix = 0 if protocol < 2 else 2
    head = stream[:prefix] + gadget(protocol, *name)
    tail = bytearray(stream[prefix:])
    for _ in range(data.draw(st.integers(1, 4))):
        tail[data.draw(st.integers(0, len(tail) - 1))] = data.draw(st.integers(0, 255))
    del tail[data.draw(st.integers(0, len(tail))) :]
    reading = inspect_bytes(head + bytes(tail), "file", SMALL)
    # An end record of a zip among the damage would make it another file, which the prefix is then part of.
    assume(b"PK\x05\x06" not in tail)
    assert reading.verdict == "unsafe"


@pytest.mark.parametrize(
    "value",
    [uuid.UUID(int=1), decimal.Decimal("1.5"), fractions.Fraction(1, 3), PurePosixPath("a/b"), datetime.time(1, 2)],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("protocol", range(6))
def test_values_of_the_standard_library_are_safe(value, protocol):
    assert inspect_bytes(pickle.dumps([value], protocol), "model.pkl").reasons == ()
