"""A range of records with everything that is needed to check them without us and without the log.

JSON lines. The first names the log, its public key and a signed checkpoint (C2SP tlog-checkpoint); each further one is
a record: its index, its bytes, and the hashes of its RFC 6962 inclusion proof in base64.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.log import LogReader, notes
from redan.evidence.log.reading import own_key
from redan.kernels.merkle import hashes, proofs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from redan.evidence.log import NoteKey

FORM = "redan-audit-export/1"
MOST_LINE_BYTES = 1 << 20


def lines(folder: Path, start: int, stop: int | None = None) -> Iterator[bytes]:
    """Give the export of the records from ``start`` up to ``stop``, line by line.

    Raises:
        UsageError: there are no such records, or some of them were let go.
        EvidenceError: the log was damaged.
    """
    reader = LogReader(folder)
    stop = reader.size if stop is None else stop
    if not 0 <= start <= stop <= reader.size:
        raise UsageError(
            f"the log has no records {start} to {stop}", hint=f"its checkpoint covers {reader.size}, from 0 on"
        )
    if start < reader.pruned:
        raise UsageError(
            f"the text of records before {reader.pruned} was let go; their hashes stay",
            hint=f"begin at {reader.pruned}",
        )
    head = {"form": FORM, "key": own_key(folder).text(), "checkpoint": reader.checkpoint.text()}
    yield json.dumps(head).encode() + b"\n"
    # neighbours share almost all of their proofs
    nodes = lru_cache(maxsize=4096)(reader.nodes)
    for index, entry in enumerate(reader.entries(start, stop), start):
        try:
            text = {"entry": entry.decode()}
        except UnicodeDecodeError:
            text = {"base64": b64encode(entry).decode()}
        path = [b64encode(h).decode() for h in proofs.inclusion(index, reader.size, nodes)]
        yield json.dumps({"index": index, **text, "proof": path}).encode() + b"\n"


def check(given: Iterable[bytes], key: NoteKey) -> int:
    """Check an export and return how many records it proves.

    Args:
        given: its lines.
        key: of the log, from where you trust it.

    Raises:
        Unreadable: it is no export.
        SignatureRefused: the checkpoint or a record is not as it was signed.
    """
    rest = iter(given)
    count = 0
    try:
        head = json.loads(next(rest))
        if head["form"] != FORM:
            raise Unreadable(f"{head['form']!r} is another form than {FORM}")
        checkpoint = notes.parse(head["checkpoint"].encode())
        notes.signed_by(checkpoint, key)
        for line in rest:
            record = json.loads(line)
            entry = record["entry"].encode() if "entry" in record else b64decode(record["base64"], validate=True)
            path = tuple(notes.strict_base64(text) for text in record["proof"])
            if not proofs.included(hashes.leaf(entry), record["index"], checkpoint.size, path, checkpoint.root):
                raise SignatureRefused(f"record {record['index']} is not the one that was signed")
            count += 1
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError, binascii.Error) as err:
        raise Unreadable(f"this is no export of an audit log: {type(err).__name__}", hint="redan audit export") from err
    return count
