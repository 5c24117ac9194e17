"""A log of some hundred entries, and its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from redan.evidence.keys import Signer, generate
from redan.evidence.log import create_log, notes, open_log
from redan.evidence.log.notes import NoteKey

ORIGIN = "example.com/models"


@pytest.fixture(scope="session")
def signer() -> Signer:
    return generate("ed25519")


@pytest.fixture(scope="session")
def key(signer: Signer) -> NoteKey:
    return notes.key_of(ORIGIN, signer.verifier)


@pytest.fixture
def make(tmp_path: Path, signer: Signer) -> Callable[..., Path]:
    """Write a log of these entries."""

    def call(entries: Sequence[bytes], name: str = "log") -> Path:
        create_log(tmp_path / name, signer, ORIGIN)
        with open_log(tmp_path / name, signer) as log:
            log.append_many(entries)
        return tmp_path / name

    return call
