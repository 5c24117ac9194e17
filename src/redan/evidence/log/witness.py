"""Witnesses: somebody else, with another key and another disk, who signs only what continues what they signed before.

Source: C2SP tlog-witness (what a log sends, which answers there are) and tlog-cosignature (what the witness signs).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable, UsageError
from redan.evidence.keys import Signer
from redan.evidence.log import notes, proving
from redan.evidence.log.disk import Disk
from redan.evidence.log.notes import Checkpoint, NoteKey, NoteSignature
from redan.evidence.log.reading import LOCK, LogReader, read_checkpoint
from redan.kernels.merkle import proofs

LARGEST_ANSWER_BYTES = 64 << 10
ANSWER_TIMEOUT_S = 20.0
MALFORMED, FORBIDDEN, UNKNOWN, CONFLICT, INCONSISTENT = 400, 403, 404, 409, 422

Ask = Callable[[bytes], list[NoteSignature]]
"""Sends a request to a witness and returns the signatures it answers with."""


class WitnessRefused(SignatureRefused):
    """A witness did not sign.

    Args:
        status: what the specification answers over HTTP.
        message: why.
        size: entries that the witness has seen, when it expected another size.
    """

    def __init__(self, status: int, message: str, *, size: int | None = None) -> None:
        super().__init__(message, hint=_HINTS.get(status, ""))
        self.status = status
        self.size = size


_HINTS = {
    UNKNOWN: "the witness must be told the log's public key first",
    INCONSISTENT: "the log was rewritten; keep the witness's checkpoint, it proves so",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness that keeps what it signed in a folder.

    Attributes:
        name: under which it signs.
        signer: its Ed25519 key, which must not be a log's.
        folder: where the latest checkpoint of each log lies.
        logs: keys of the logs it knows, by origin.
        now: seconds since 1970.
    """

    name: str
    signer: Signer
    folder: Path
    logs: Mapping[str, NoteKey]
    now: Callable[[], float] = time.time
    disk: Disk = field(default_factory=Disk)

    @property
    def key(self) -> NoteKey:
        """The public key that others check its signatures with."""
        return notes.key_of(self.name, self.signer.verifier, notes.KIND_WITNESS)

    def path(self, origin: str) -> Path:
        """Return where the latest checkpoint of a log lies."""
        return self.folder / f"{sha256(origin.encode()).hexdigest()[:32]}.checkpoint"

    def seen(self, origin: str) -> Checkpoint | None:
        """Return the latest checkpoint it signed for a log.

        Raises:
            EvidenceError: its own record was damaged.
        """
        path = self.path(origin)
        if not path.exists():
            return None
        try:
            found = read_checkpoint(path)
            notes.cosigned_by(found, self.key)
        except (Unreadable, SignatureRefused) as err:
            raise EvidenceError(f"the witness's record {path.name!r} was damaged: {err.message}") from err
        return found

    def add(self, request: bytes) -> list[NoteSignature]:
        """Check a log's new checkpoint against the last one, remember it durably, then sign it.

        Raises:
            WitnessRefused: it does not continue what was signed before, or is not of a known log.
            EvidenceError: the record cannot be read or written, or the clock stands before the last signature.
        """
        try:
            proof = proving.parse(request)
        except Unreadable as err:
            raise WitnessRefused(MALFORMED, err.message) from err
        new = proof.checkpoint
        if proof.kind != "old" or proof.number > new.size:
            raise WitnessRefused(MALFORMED, "expected a consistency proof from a smaller or equal size")
        if new.origin not in self.logs:
            raise WitnessRefused(UNKNOWN, f"this witness does not know the log {new.origin!r}")
        try:
            notes.signed_by(new, self.logs[new.origin])
        except SignatureRefused as err:
            raise WitnessRefused(FORBIDDEN, err.message) from err
        try:
            with self._alone():
                return self._continue(proof)
        except OSError as err:
            raise EvidenceError(f"the witness cannot keep its record: {err.strerror}") from err

    def _continue(self, proof: proving.Proof) -> list[NoteSignature]:
        new, old = proof.checkpoint, self.seen(proof.checkpoint.origin)
        size = old.size if old else 0
        if proof.number != size:
            said = f"the witness has seen {size} entries of {new.origin}; the proof begins at {proof.number}"
            raise WitnessRefused(CONFLICT, said, size=size)
        if old is not None and not proofs.consistent(old.size, old.root, new.size, new.root, proof.path):
            status = CONFLICT if old.size == new.size else INCONSISTENT
            raise WitnessRefused(
                status, f"{new.origin} does not continue the {old.size} entries signed before", size=size
            )
        if old is None and proof.path:
            raise WitnessRefused(INCONSISTENT, "a proof from the empty tree has no hashes")
        at_s = int(self.now())
        if old is not None and at_s < (last_s := notes.cosigned_by(old, self.key)):
            raise EvidenceError(
                f"the witness's clock stands {last_s - at_s} s before its last signature", hint="set it"
            )
        signature = notes.cosign(new, self.name, self.signer, at_s)
        self.disk.publish({self.path(new.origin): new.with_signatures([signature]).text().encode()})
        return [signature]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def cosigned(reader: LogReader, ask: Ask, key: NoteKey) -> Checkpoint:
    """Have a witness sign a log's checkpoint, and return the checkpoint with its signature.

    Args:
        reader: the log at the checkpoint.
        ask: sends a request to the witness.
        key: of the witness; signatures of others are ignored.

    Raises:
        WitnessRefused: it has seen more, or something else.
        SignatureRefused: the answer holds no good signature of that key.
    """
    try:
        answer = ask(proving.consistency_file(reader, 0).encode())
    except WitnessRefused as err:
        if err.status != CONFLICT or not err.size:
            raise
        if err.size > reader.size:
            said = f"rolled back: the witness has seen {err.size} entries, this log has {reader.size}"
            raise WitnessRefused(CONFLICT, said, size=err.size) from err
        answer = ask(proving.consistency_file(reader, err.size).encode())
    ours = [s for s in answer if s.name == key.name and s.hash == key.hash]
    found = reader.checkpoint.with_signatures(ours)
    notes.cosigned_by(found, key)
    return found


def over_http(url: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Ask:
    """Return what asks a witness over HTTP.

    Args:
        url: the witness's submission prefix.
        timeout_s: for each answer.

    Raises:
        UsageError: no HTTP address.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is no address of a witness", hint="http://HOST:PORT or https://…")
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    def ask(request: bytes) -> list[NoteSignature]:
        target = Request(url.rstrip("/") + "/add-checkpoint", data=request, method="POST")  # noqa: S310  # checked above
        target.add_header("Content-Type", "text/plain; charset=utf-8")
        try:
            with urlopen(target, timeout=timeout_s) as response:  # noqa: S310  # checked above
                return notes.parse_signatures(response.read(LARGEST_ANSWER_BYTES).decode())
        except HTTPError as err:
            with err:
                said = err.read(LARGEST_ANSWER_BYTES).decode(errors="replace").strip()
            if err.code >= 500:
                raise EvidenceError(f"the witness {url} is in trouble: {err.code} {said[:200]}") from err
            size = int(said) if err.code == CONFLICT and said.isdecimal() and len(said) < 20 else None
            raise WitnessRefused(err.code, f"the witness answered {err.code}: {said[:200]}", size=size) from err
        except OSError as err:
            raise EvidenceError(f"the witness {url} cannot be reached: {err}") from err
        except ValueError as err:
            raise EvidenceError(f"the witness {url} answered something else than signatures: {err}") from err

    return ask
