"""The ownership file: what was put into a model or read from it, how often strangers match it, bound to a secret key.

It holds no secret. Whoever publishes it, or its digest, before a dispute shows that neither the key nor the count of
the independent models was made up to fit a suspect.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Literal

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, SignatureRefused, Unreadable, UsageError
from redan.core.record import dataclass

SCHEMA = "redan/ownership/1"
KEY_BYTES = 32
LARGEST_KEY_BYTES = 4096
LARGEST_FILE_BYTES = 1 << 20
LARGEST_POINTS_BYTES = 1 << 28
MOST_SECRETS = 100_000

Kind = Literal["triggers", "weights", "fingerprint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One secret of a model.

    Attributes:
        kind: ``triggers`` and ``weights`` were put in, a ``fingerprint`` was read.
        n: secret answers or bits.
        matched: how many the owner's own model gives.
        independent: how many each independent model gives; what a p-value rests on.
        layer: the layer that carries bits, empty for the others.
        width: numbers that bits are read from, 0 for the others.
    """

    kind: Kind
    n: int
    matched: int
    independent: tuple[int, ...] = ()
    layer: str = ""
    width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """A claim that can be checked by whoever is given the key.

    Attributes:
        schema: `SCHEMA`.
        made: date and time, ISO 8601, UTC.
        model: name of the model.
        model_sha256: its digest, as reports and statements name it.
        made_from_sha256: digest of the model before it was marked; the same for a fingerprint.
        shape: of one input.
        classes: of the model.
        bounds: lowest and highest legal input value.
        marks: the secrets.
        independent: how the independent models were made, a sentence.
        points: file of the fingerprint's inputs, beside this one; empty without.
        points_sha256: its digest.
        commitment: binds everything above to the key.
    """

    schema: str = SCHEMA
    made: str
    model: str
    model_sha256: str
    made_from_sha256: str
    shape: tuple[int, ...]
    classes: int
    bounds: tuple[float, float]
    marks: tuple[Mark, ...]
    independent: str = ""
    points: str = ""
    points_sha256: str = ""
    commitment: str = ""

    def bound(self, key: bytes) -> Ownership:
        """Return the same with its commitment to a key."""
        return replace(self, commitment=_commitment(self, key))

    def check(self, key: bytes) -> None:
        """See that a key is the one that this file was made with, and that nothing in it was changed.

        Raises:
            SignatureRefused: it is not.
        """
        if not hmac.compare_digest(self.commitment, _commitment(self, key)):
            raise SignatureRefused(
                "the key does not fit the ownership file: another key, or the file was changed after it was made",
                hint="a claim needs the very key that the model was marked with, and the file as it was written",
            )


def _commitment(told: Ownership, key: bytes) -> str:
    from redan.kernels.ownership.secret import commitment

    open_part = {name: value for name, value in encode(told).items() if name != "commitment"}
    return commitment(key, json.dumps(open_part, sort_keys=True, separators=(",", ":")).encode())


def write(told: Ownership, place: Path) -> None:
    """Write the file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        place.write_text(json.dumps(encode(told), indent=1) + "\n", encoding="utf-8")
    except OSError as err:
        raise UsageError(f"cannot write {str(place)!r}: {err.strerror}") from err


def read(place: Path) -> Ownership:
    """Read the file; its commitment is not checked here.

    Raises:
        Unreadable: it is missing, too large or no ownership file.
    """
    data = _bounded(place, LARGEST_FILE_BYTES)
    try:
        document = json.loads(data)
        found = document.get("schema") if isinstance(document, dict) else None
        if found != SCHEMA:
            raise Unreadable(f"{str(place)!r} is no ownership file: expected schema {SCHEMA}, found {found!r}")
        told = decode(Ownership, document)
    except (ValueError, RecursionError, ConfigError) as err:
        raise Unreadable(f"{str(place)!r} is no ownership file: {err}") from err
    for mark in told.marks:
        counts = (mark.matched, *mark.independent)
        if not 1 <= mark.n <= MOST_SECRETS or min(counts) < 0 or max(counts) > mark.n:
            raise Unreadable(f"{str(place)!r} is no ownership file: counts of {mark.kind} do not lie within 0 .. n")
    return told


def read_points(told: Ownership, place: Path) -> bytes:
    """Return the bytes of the fingerprint's inputs, which lie beside the ownership file ``place``.

    Raises:
        Unreadable: the file is missing, too large or named outside the folder.
        SignatureRefused: it was changed.
    """
    from hashlib import sha256

    if Path(told.points).name != told.points:
        raise Unreadable(f"the points {told.points!r} do not lie beside {str(place)!r}")
    data = _bounded(place.with_name(told.points), LARGEST_POINTS_BYTES)
    if sha256(data).hexdigest() != told.points_sha256:
        raise SignatureRefused(f"{told.points!r} is not the file that the ownership file names: its digest differs")
    return data


def _bounded(place: Path, most: int) -> bytes:
    try:
        with place.open("rb") as file:
            data = file.read(most + 1)
    except OSError as err:
        raise Unreadable(f"cannot read {str(place)!r}: {err.strerror}") from err
    if len(data) > most:
        raise Unreadable(f"{str(place)!r} has more than {most:,} bytes")
    return data


def make_key(place: Path) -> None:
    """Write 32 random bytes as hexadecimal digits into a new file that only its owner may read.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as err:
        raise UsageError(f"cannot write the key {str(place)!r}: {err.strerror}") from err
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(os.urandom(KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def key_from(source: str) -> bytes:
    """Return the key that a file or, as ``env:NAME``, the environment holds.

    Raises:
        Unreadable: nothing is there, others may read it, or it is no key.
    """
    if source.startswith("env:"):
        text = os.environ.get(source[4:], "")
    else:
        place = Path(source)
        text = _bounded(place, LARGEST_KEY_BYTES).decode("ascii", "replace")
        mode = stat.S_IMODE(place.stat().st_mode)
        if mode & 0o077:
            raise Unreadable(f"the key {source!r} can be read by others (mode {mode:o})", hint=f"chmod 600 {source}")
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Unreadable(
            f"{source!r} holds no ownership key; expected {2 * KEY_BYTES} hexadecimal digits",
            hint="redan own key FILE makes one",
        )
    return key
