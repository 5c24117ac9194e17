"""The compiled core and Python alone say the same of every file, whatever is wrong with it."""

from __future__ import annotations

import collections
import datetime
import decimal
import json
import pickle
import random
from pathlib import Path

import pytest
from tests.unit.kernels.artifacts.machine import cores, exhausting

from redan.kernels.artifacts.judgement.judge import Judge
from redan.kernels.artifacts.ledger import Ledger
from redan.kernels.artifacts.limits import STANDARD
from redan.kernels.artifacts.machine.calls import _is_plain
from redan.kernels.artifacts.machine.core import CORE, Core
from redan.kernels.artifacts.machine.structure import LARGEST_MEMO_GAP
from redan.kernels.artifacts.machine.values import Global, Result


@pytest.fixture(autouse=True)
def two_cores():
    cores.needs_compiled_core()


class Point:
    def __init__(self, x):
        self.x = x


def rich(protocol: int) -> bytes:
    point = Point([1, 2.5, "three", b"four", None, True, -(1 << 70)])
    words = {f"key {i}": (i, [i] * 3, {i}) for i in range(40)}
    kept = [point, words, point, frozenset({1, "x"}), collections.OrderedDict(a=1), decimal.Decimal("1.5")]
    more = [
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "Käse\ud800",
        "x" * 300,
        b"\xff" * 300,
        range(7),
        1 << 3000,
    ]
    listed = [collections.OrderedDict() for _ in range(20)]
    return pickle.dumps([*kept, *more, *listed, {i: str(i) for i in range(600)}, {"__reduce__": 1}], protocol)


REAL = {f"protocol {n}": rich(n) for n in range(6)}


def corpus_files(shared: Path) -> list[Path]:
    manifest = shared / "corpus" / "supply_chain" / "manifest.json"
    if not manifest.is_file():
        pytest.skip(f"no corpus at {manifest}")
    entries = [manifest.parent / entry["path"] for entry in json.loads(manifest.read_text())]
    return sorted(file for path in entries for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


@pytest.mark.parametrize("name", REAL)
def test_real_pickles_read_the_same(name):
    assert cores.assert_same(REAL[name], STANDARD).n_opcodes > 500


def test_pickles_cut_at_any_byte_read_the_same():
    for data in (REAL["protocol 0"], REAL["protocol 4"]):
        for end in range(1, 1200, 2):
            cores.assert_same(data[:end])


@pytest.mark.parametrize("name", REAL)
def test_mutated_pickles_read_the_same(name):
    for data in cores.mutations(REAL[name], 60, seed=3):
        cores.assert_same(data)


@pytest.mark.parametrize("code", range(256))
def test_each_opcode_on_each_kind_of_stack_reads_the_same(code):
    stacks = [
        b"",
        b"N",
        b"(",
        b"](",
        b"}(",
        b"(]",
        b"NN",
        b"]NN",
        b"}NN",
        b"}K\x01N",
        b"ca\nb\n",
        b"ca\nb\n)",
        b"ca\nb\n(N",
    ]
    arguments = [
        b"",
        b"\x00",
        b"\x01",
        b"\x04\x00\x00\x00abcd",
        b"\xff" * 9,
        b"\x02\x00\x00\x00\x00\x00\x00\x00ab",
        b"0\n",
    ]
    for stack in stacks:
        for argument in arguments:
            cores.assert_same(b"\x80\x04" + stack + bytes([code]) + argument + b"0N.")


@pytest.mark.parametrize("name", exhausting.BUILDS)
def test_exhausting_files_read_the_same_under_small_limits(name):
    cores.assert_same(exhausting.BUILDS[name](0.002))


EDGE_CALL = b"\x94cmylib\nf\nh\x00\x85R."
"""Calls something unlisted with the value on top, so that the evidence which was kept of it shows."""


@pytest.mark.parametrize("n", [254, 255, 256, 257])
@pytest.mark.parametrize("last", [b"Va https://x.example\n", b"N"])
def test_what_is_kept_of_containers_ends_at_the_same_item(n, last):
    items, pairs = b"N" * (n - 1) + last, b"".join(b"J" + bytes([i % 256, i // 256, 0, 0]) + b"N" for i in range(n - 1))
    one_more = b"J" + bytes([n % 256, n // 256, 0, 0]) + last
    shapes = [
        b"(" + items + b"l",
        b"](" + items + b"e",
        b"]" + b"Na" * (n - 1) + last + b"a",
        b"](" + b"N" * 100 + b"e(" + items[100:] + b"e",
        b"](" + b"N" * (n - 1) + b"e(" + last + b"e",
        b"}(" + pairs + one_more + b"u",
        b"(" + pairs + one_more + b"d",
        b"}(" + pairs + b"u" + one_more + b"s",
        b"}(" + pairs + b"u(" + one_more + b"u",
        b"}(" + pairs + b"u" + text("__reduce__") + last + b"s",
    ]
    verdicts = {cores.assert_same(b"\x80\x04" + shape + EDGE_CALL, STANDARD).verdict for shape in shapes}
    assert ("unsafe" in verdicts) == (last != b"N")


def text(content: str) -> bytes:
    return b"\x8c" + bytes([len(content)]) + content.encode()


@pytest.mark.parametrize("more", [-1, 0, 1, 2, 3, 600])
def test_a_memo_index_that_runs_ahead_is_judged_at_the_same_distance(more):
    gap = LARGEST_MEMO_GAP + 2 * 300 + more
    reading = cores.assert_same(b"\x80\x04N" + b"\x94" * 300 + b"r" + gap.to_bytes(4, "little") + b"N\x94.", STANDARD)
    assert reading.verdict == ("unsafe" if more > 0 else "safe")


@pytest.mark.parametrize("how", [b"R", b"\x81"])
@pytest.mark.parametrize(
    "name", [b"ccollections\nOrderedDict\n", b"csklearn.svm._classes\nSVC\n", b"cos\nsystem\n", b"cmylib\nC\n"]
)
@pytest.mark.parametrize("arguments", [b")", b"K\x01\x85", b"N", b"]"])
def test_calls_behind_a_full_graph_are_judged_the_same(how, name, arguments):
    calls = b"ccollections\nOrderedDict\n)R0" * 6
    cores.assert_same(b"\x80\x04" + calls + name + arguments + how + b".")


@pytest.mark.parametrize("n_retained", range(399_997, 400_003))
def test_what_is_kept_of_all_containers_ends_at_the_same_item(n_retained):
    whole, rest = divmod(n_retained, 250)
    lists = (b"](" + b"N" * 250 + b"e0") * whole + b"](" + b"N" * rest + b"e0"
    cores.assert_same(b"\x80\x04" + lists + b"(Va https://x.example\nl" + EDGE_CALL, STANDARD)
    cores.assert_same(b"\x80\x04" + lists + b"](Va https://x.example\nVb\nNNe" + EDGE_CALL, STANDARD)
    cores.assert_same(b"\x80\x04" + lists + b"}K\x01NsK\x02Va https://x.example\ns" + EDGE_CALL, STANDARD)


def test_files_of_the_corpus_read_the_same(shared):
    files = [file for file in corpus_files(shared) if file.stat().st_size < 300_000][::5]
    assert len(files) > 20
    for file in files:
        cores.assert_same(file.read_bytes(), STANDARD)


def test_calls_that_are_plain_leave_no_reason():
    grades = ("class", "constructor", "function", "value", "special", "unlisted", "denied")
    n_plain = 0
    for grade in grades:
        for how in ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST"):
            for arguments in ((), (1,), ("os.system",), None, [], "x"):
                function = Global("mylib", "thing", grade)
                if _is_plain(function, arguments, how):
                    n_plain += 1
                    ledger = Ledger(STANDARD)
                    result = Judge(ledger, "").called(function, arguments, how, 0)
                    assert type(result) is Result
                    assert (result.function, result.arguments) == (function, arguments)
                    assert not ledger.reasons
    assert n_plain == 2 * 5 * 6 + 1


def test_walk_refuses_what_is_no_machine():
    walk = CORE.walk
    with pytest.raises(TypeError, match="walk takes a machine"):
        walk(None, b"", [], [], [], 0, 0, 1)
    with pytest.raises(TypeError, match="walk takes a machine"):
        walk(None)
    with pytest.raises(ValueError, match="no negative counts"):
        walk(None, b"", [], [], {}, -1, 0, 1)
    with pytest.raises(AttributeError):
        walk(None, b"N", [], [], {}, 0, 0, 1)


def test_core_of_another_version_is_not_used(monkeypatch):
    monkeypatch.setattr("redan.kernels.artifacts.machine._walk.INTERFACE", "0")
    core = Core()
    core.bind((Global, Result), (None, None, None, None), (1, 1, 1, 1, 1))
    assert core.walk is None
    assert "another version" in core.why


@pytest.mark.slow
def test_whole_corpus_reads_the_same(shared):
    for file in corpus_files(shared):
        if file.stat().st_size < 64 << 20:
            cores.assert_same(file.read_bytes(), STANDARD)


@pytest.mark.slow
def test_mutated_corpus_reads_the_same(shared):
    for i, file in enumerate(corpus_files(shared)):
        if file.stat().st_size < 200_000:
            for data in cores.mutations(file.read_bytes() or b".", 20, seed=i):
                cores.assert_same(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", exhausting.BUILDS)
def test_exhausting_files_read_the_same(name):
    cores.assert_same(exhausting.BUILDS[name](0.3), STANDARD)


@pytest.mark.slow
def test_soups_of_opcodes_read_the_same():
    draw = random.Random(11)
    codes = [
        *b"(((]})NK\x01KMJGhqqrj0102aaeseut\x85\x86\x87\x94\x94\x8c\x8a\x88\x89\x8f\x90\x91RRb\x81c.",
        *range(128, 153),
    ]
    for _ in range(60_000):
        cores.assert_same(b"\x80\x04" + bytes(draw.choices(codes, k=draw.randrange(1, 80))))
