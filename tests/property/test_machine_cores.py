"""Whatever hypothesis writes as a pickle, both cores of the machine read it alike."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kernels.artifacts.machine import cores

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
HASHABLE = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
OBJECTS = st.recursive(
    LEAVES,
    lambda parts: (
        st.lists(parts)
        | st.tuples(parts, parts)
        | st.dictionaries(HASHABLE, parts)
        | st.frozensets(HASHABLE)
        | st.builds(bytearray, st.binary())
    ),
    max_leaves=60,
)
OPCODES = st.sampled_from(sorted(b"()]}NKMJGXCBUThjqrlde0 12aestu.RbcioPQIFLSVpg" + bytes(range(128, 153)))).map(
    lambda code: bytes([code])
)


@given(OBJECTS, st.integers(0, 5))
def test_pickles_of_any_value_read_the_same(value, protocol):
    cores.needs_compiled_core()
    assert cores.assert_same(pickle.dumps(value, protocol)).verdict != "unsafe"


@given(st.lists(OPCODES | st.binary(max_size=9) | st.just(b"a\nb\n"), max_size=60).map(b"".join))
def test_any_opcodes_read_the_same(body):
    cores.needs_compiled_core()
    cores.assert_same(b"\x80\x04" + body)
