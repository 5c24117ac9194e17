"""Hashes, proofs and tiles against the recursive definitions of RFC 6962, written here a second time."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels.merkle import proofs, tiles
from redan.kernels.merkle.hashes import EMPTY_ROOT, leaf, leaves, root


def mth(d: list[bytes]) -> bytes:
    if not d:
        return sha256(b"").digest()
    if len(d) == 1:
        return sha256(b"\0" + d[0]).digest()
    k = 1
    while k * 2 < len(d):
        k *= 2
    return sha256(b"\1" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = 1
    while k * 2 < len(d):
        k *= 2
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = 1
    while k * 2 < len(d):
        k *= 2
    if m <= k:
        return [*subproof(m, d[:k], whole=whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], whole=False), mth(d[:k])]


def tile_of(d: list[bytes]) -> tiles.Tile:
    """Tiles straight from their definition: tile n of level l is MTH over runs of 256**l entries."""

    def tile(level: int, n: int) -> bytes:
        run = 256**level
        starts = range(n * 256 * run, min((n + 1) * 256 * run, len(d) - len(d) % run), run)
        return b"".join(root(leaves(d[s : s + run])) for s in starts)

    return tile


def some(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


# The input of Certificate Transparency's reference tests (eight leaves) and their roots, known since 2013
CT_LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("n", CT_ROOTS)
def test_the_roots_are_those_that_certificate_transparency_publishes(n: int) -> None:
    assert root(leaves(CT_LEAVES[:n])).hex() == CT_ROOTS[n] == mth(CT_LEAVES[:n]).hex()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == mth([])


@pytest.mark.parametrize("size", [*range(1, 20), 255, 256, 257, 300, 513])
def test_proofs_from_tiles_are_those_of_the_definition(size: int) -> None:
    d = some(size)
    nodes = tiles.nodes(tile_of(d))
    assert proofs.subtree(0, size, nodes) == root(leaves(d)) == mth(d)
    for m in {0, 1, size // 3, size // 2, size - 1}:
        if m < size:
            assert list(proofs.inclusion(m, size, nodes)) == path(m, d)
        if m > 0:
            assert list(proofs.consistency(m, size, nodes)) == subproof(m, d, whole=True)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_only_the_true_proof_is_accepted(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 90))
    d = some(size)
    nodes, top = tiles.nodes(tile_of(d)), mth(d)
    index = data.draw(st.integers(0, size - 1))
    proof = list(proofs.inclusion(index, size, nodes))
    assert proofs.included(leaf(d[index]), index, size, proof, top)
    old = data.draw(st.integers(0, size))
    joined = list(proofs.consistency(old, size, nodes))
    assert proofs.consistent(old, mth(d[:old]), size, top, joined)

    for name, path_ in (("inclusion", proof), ("consistency", joined)):
        bad = list(path_)
        kind = data.draw(st.sampled_from(["longer", "shorter", "flipped"]))
        if kind == "longer":
            bad.insert(data.draw(st.integers(0, len(bad))), sha256(b"x").digest())
        elif not bad:
            continue
        elif kind == "shorter":
            bad.pop(data.draw(st.integers(0, len(bad) - 1)))
        else:
            at = data.draw(st.integers(0, len(bad) - 1))
            bad[at] = bytes([bad[at][0] ^ 1]) + bad[at][1:]
        if name == "inclusion":
            assert not proofs.included(leaf(d[index]), index, size, bad, top)
        else:
            assert not proofs.consistent(old, mth(d[:old]), size, top, bad)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 80), st.data())
def test_a_proof_fits_one_entry_one_place_and_one_tree(size: int, data: st.DataObject) -> None:
    d = some(size)
    nodes, top = tiles.nodes(tile_of(d)), mth(d)
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(-2, size + 2))
    proof = proofs.inclusion(index, size, nodes)
    assert proofs.included(leaf(d[index]), other, size, proof, top) == (other == index)
    assert not proofs.included(leaf(b"forged"), index, size, proof, top)
    assert not proofs.included(leaf(d[index]), index, size, proof, sha256(top).digest())
    if 0 < other < size:
        joined = proofs.consistency(other, size, nodes)
        assert not proofs.consistent(other, mth([*d[: other - 1], b"rewritten"]), size, top, joined)
        assert not proofs.consistent(other, mth(d[:other]), size, sha256(top).digest(), joined)


def test_what_cannot_be_proved_is_refused() -> None:
    nodes = tiles.nodes(tile_of(some(3)))
    with pytest.raises(ValueError, match="no entry 3"):
        proofs.inclusion(3, 3, nodes)
    with pytest.raises(ValueError, match="cannot contain"):
        proofs.consistency(4, 3, nodes)
    assert not proofs.consistent(4, EMPTY_ROOT, 3, EMPTY_ROOT, ())


def test_tile_paths_are_those_of_the_specification() -> None:
    assert tiles.path(0, 0) == "tile/0/000"
    assert tiles.path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.path(2, 1000, 5) == "tile/2/x001/000.p/5"
    assert tiles.path(tiles.ENTRIES, 999, 255) == "tile/entries/999.p/255"


def test_the_shape_of_a_tree_is_that_of_the_specification() -> None:
    assert [tiles.extent(70_000, level) for level in (0, 1, 2)] == [(273, 112), (1, 17), (0, 1)]
    assert [tiles.extent(256, level) for level in (0, 1)] == [(1, 0), (0, 1)]
    assert [list(tiles.levels(s)) for s in (0, 1, 255, 256, 65_535, 65_536)] == [
        [],
        [0],
        [0],
        [0, 1],
        [0, 1],
        [0, 1, 2],
    ]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_holds_its_entries(entries: list[bytes]) -> None:
    whole = tiles.bundle(entries)
    assert tiles.entries(whole) == entries
    if entries:
        with pytest.raises(ValueError, match="cut off"):
            tiles.entries(whole + b"\0")
        with pytest.raises(ValueError, match="cut off"):
            tiles.entries(whole[:-1])
