"""A pruned log still verifies, says how much of it is hashes only, and no loss passes for a pruning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from redan.core.errors import EvidenceError
from redan.evidence.keys import Signer, generate
from redan.evidence.log import LogReader, notes, open_log, proving
from redan.evidence.log.disk import Disk
from redan.evidence.log.notes import NoteKey
from redan.evidence.log.reading import PRUNED, Pruned
from redan.evidence.log.verifying import verify
from redan.kernels.merkle import tiles

Make = Callable[..., Path]


def some(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


@pytest.fixture
def pruned(make: Make, signer: Signer) -> Path:
    folder = make(some(900))
    with open_log(folder, signer) as log:
        assert log.prune(600) == 512
    return folder


def test_a_pruned_log_verifies_and_says_how_much_is_gone(pruned: Path, signer: Signer, key: NoteKey) -> None:
    found = verify(pruned, key)
    assert (found.problems, found.pruned, found.root) == ((), 512, found.checkpoint.root)
    assert not (pruned / tiles.path(tiles.ENTRIES, 1)).exists()
    reader = LogReader(pruned)
    assert (reader.pruned, list(reader.entries(512))) == (512, some(900)[512:])
    with pytest.raises(Pruned, match="first 512 entries were pruned"):
        reader.entry(511)
    with open_log(pruned, signer) as log:
        assert log.append(b"later") == 900
        assert log.prune(0) == 512, "what is gone stays gone"
    assert not verify(pruned, key).problems


def test_proofs_of_pruned_entries_still_hold(pruned: Path, key: NoteKey) -> None:
    proof = proving.parse(proving.inclusion_file(LogReader(pruned), 17).encode())
    proving.check_inclusion(proof, b"entry 17", key)
    with pytest.raises(EvidenceError):
        proving.check_inclusion(proof, b"entry 18", key)


def test_a_loss_does_not_pass_for_a_pruning(make: Make, signer: Signer, key: NoteKey) -> None:
    folder = make(some(900))
    (folder / tiles.path(tiles.ENTRIES, 0)).unlink()
    assert [p.kind for p in verify(folder, key).problems] == ["missing"]
    head = LogReader(folder).checkpoint
    for forger in (generate("ed25519"), signer):
        forged = notes.sign(notes.Checkpoint(origin=head.origin + "/pruned", size=256, root=bytes(32)), forger)
        (folder / PRUNED).write_text(forged.text(), encoding="utf-8")
        found = verify(folder, key)
        assert {p.kind for p in found.problems} & {"signature", "fork"}
    (folder / PRUNED).write_bytes(b"nonsense\n")
    assert {p.kind for p in verify(folder, key).problems} == {"signature", "missing"}


def test_hashes_of_pruned_entries_cannot_be_changed(pruned: Path, key: NoteKey) -> None:
    path = pruned / tiles.path(0, 0)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert verify(pruned, key).problems


class Dies(Disk):
    """A disk on which the second removal fails."""

    left = 1

    def remove(self, path: Path) -> None:
        if path.parent.name == "entries":
            if self.left == 0:
                raise OSError(5, "Input/output error")
            self.left -= 1
        super().remove(path)


def test_a_pruning_that_was_cut_off_verifies_and_is_finished_later(make: Make, signer: Signer, key: NoteKey) -> None:
    folder = make(some(900))
    with open_log(folder, signer, disk=Dies()) as log, pytest.raises(EvidenceError, match="cannot prune"):
        log.prune(600)
    assert not verify(folder, key).problems
    assert (folder / tiles.path(tiles.ENTRIES, 1)).exists()
    with open_log(folder, signer) as log:
        assert log.prune(0) == 512
    assert not (folder / tiles.path(tiles.ENTRIES, 1)).exists()
    assert not verify(folder, key).problems
