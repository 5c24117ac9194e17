"""Proofs as files that verify without the log: inclusion as C2SP tlog-proof, consistency as a witness is asked.

A consistency file is what C2SP tlog-witness lets a log send: ``old SIZE``, the hashes, an empty line, the newer
checkpoint.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence.log import notes
from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.evidence.log.reading import LogReader
from redan.kernels.merkle import hashes, proofs

HEADER = "c2sp.org/tlog-proof@v1"
LARGEST_PROOF_BYTES = notes.LARGEST_NOTE_BYTES + 256 * proofs.MOST_HASHES
_NUMBER = re.compile(r"(index|old) (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a proof file says; nothing of it is checked yet.

    Attributes:
        kind: ``index`` proves an entry's place, ``old`` that a smaller tree is the beginning of this one.
        number: the entry's index, or the size of the smaller tree.
        path: the hashes.
        checkpoint: the tree.
    """

    kind: str
    number: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def _lines(path: Sequence[bytes], checkpoint: Checkpoint) -> str:
    return "".join(b64encode(h).decode() + "\n" for h in path) + "\n" + checkpoint.text()


def inclusion_file(reader: LogReader, index: int) -> str:
    """Return the file that proves where an entry stands.

    Raises:
        UsageError: the checkpoint has no such entry.
        EvidenceError: the tiles do not give it.
    """
    return f"{HEADER}\nindex {index}\n{_lines(reader.inclusion(index), reader.checkpoint)}"


def consistency_file(reader: LogReader, old: int) -> str:
    """Return the file that proves that the first ``old`` entries were only added to.

    Raises:
        UsageError: the checkpoint covers fewer entries.
        EvidenceError: the tiles do not give it.
    """
    return f"old {old}\n{_lines(reader.consistency(old), reader.checkpoint)}"


def parse(data: bytes) -> Proof:
    """Read a proof file of either kind.

    Raises:
        Unreadable: it is neither.
    """
    try:
        return _parsed(data)
    except (ValueError, binascii.Error) as err:
        raise Unreadable(f"this is no proof of a log: {err}") from err


def _parsed(data: bytes) -> Proof:
    if len(data) > LARGEST_PROOF_BYTES:
        raise ValueError(f"{len(data)} bytes; expected at most {LARGEST_PROOF_BYTES}")
    head, blank, note = data.decode().partition("\n\n")
    lines = head.split("\n")
    inclusion = lines[0] == HEADER
    if inclusion:
        del lines[0]
        if lines and lines[0].startswith("extra "):
            del lines[0]
    said = _NUMBER.fullmatch(lines[0]) if lines else None
    if not blank or said is None or (said[1] == "index") != inclusion or len(lines) > proofs.MOST_HASHES:
        raise ValueError(f"expected {HEADER} and an index, or an old size, then hashes and a checkpoint")
    path = tuple(notes.strict_base64(line) for line in lines[1:])
    if any(len(h) != hashes.HASH_BYTES for h in path):
        raise ValueError("a hash has another length than 32 bytes")
    return Proof(kind=said[1], number=int(said[2]), path=path, checkpoint=notes.parse(note.encode()))


def check_inclusion(proof: Proof, entry: bytes, key: NoteKey) -> None:
    """Accept a proof that this entry stands in the log of this key.

    Raises:
        SignatureRefused: another kind of proof, another log, or it does not fit the entry.
    """
    _is(proof, "index")
    notes.signed_by(proof.checkpoint, key)
    head = proof.checkpoint
    if not proofs.included(hashes.leaf(entry), proof.number, head.size, proof.path, head.root):
        raise SignatureRefused(
            f"this entry does not stand at index {proof.number} of {head.origin}", hint="is it the very same bytes?"
        )


def check_consistency(proof: Proof, old: Checkpoint, key: NoteKey) -> None:
    """Accept a proof that the newer checkpoint only adds to an older one.

    Raises:
        SignatureRefused: another kind of proof, another log, or the log was rewritten in between.
    """
    _is(proof, "old")
    notes.signed_by(old, key)
    notes.signed_by(proof.checkpoint, key)
    new = proof.checkpoint
    if old.size != proof.number:
        raise SignatureRefused(f"the proof begins at {proof.number} entries; the older checkpoint has {old.size}")
    if not proofs.consistent(old.size, old.root, new.size, new.root, proof.path):
        raise SignatureRefused(
            f"{new.origin} does not continue what it signed: the first {old.size} entries were changed",
            hint="keep both checkpoints: together they prove it",
        )


def _is(proof: Proof, kind: str) -> None:
    if proof.kind != kind:
        names = {"index": "an inclusion proof", "old": "a consistency proof"}
        raise SignatureRefused(f"this is {names[proof.kind]}; expected {names[kind]}")
