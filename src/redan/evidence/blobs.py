"""Where evidence lies: in memory for the Python interface, in a folder of files named by digest for runs."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.errors import EvidenceError, MissingDependency
from redan.core.finding import Evidence

NPY = "application/x-npy"
TORCH_NPY = "application/x-npy; library=torch"


def _checked(digest: str, data: bytes) -> bytes:
    found = sha256(data).hexdigest()
    if found != digest:
        raise EvidenceError(
            f"evidence {digest[:12]}… was changed: its bytes now have digest {found[:12]}…",
            hint="restore the run's folder from a backup, or measure again",
        )
    return data


def decoded(evidence: Evidence, data: bytes) -> Any:
    """Return the object that the bytes stand for: torch tensor, numpy array, text or bytes.

    Raises:
        EvidenceError: the bytes are not what their media type says.
    """
    if evidence.media_type.startswith(NPY):
        array = load_npy(data)
        if evidence.media_type == TORCH_NPY:
            return _tensor(array)
        return array
    if evidence.media_type.startswith("text/") or evidence.media_type == "application/json":
        try:
            return data.decode()
        except UnicodeDecodeError as err:
            raise EvidenceError(f"evidence {evidence.name!r} is no text: {err}") from err
    return data


def _tensor(array: Any) -> Any:
    try:
        import torch
    except ImportError as err:
        raise MissingDependency.of("torch", "torch", "reading this evidence as a tensor") from err
    return torch.from_numpy(array)


def load_npy(data: bytes) -> Any:
    """Read an array written by `save_npy`; never unpickles.

    Raises:
        EvidenceError: the bytes are no array in NumPy's format, or an array of objects.
    """
    try:
        import numpy as np
    except ImportError as err:
        raise MissingDependency.of("numpy", "arrays", "reading this evidence as an array") from err
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        # NumPy's own words would advise the reader to unpickle
        raise EvidenceError("these bytes are no array of numbers in NumPy's format") from None


def save_npy(array: Any) -> bytes:
    """Write a numpy array, or a torch tensor on any device, as bytes in NumPy's npy format."""
    import numpy as np

    plain = array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
    buffer = io.BytesIO()
    np.save(buffer, plain, allow_pickle=False)
    return buffer.getvalue()


@dataclass(slots=True, eq=False, repr=False)
class MemoryBlobs:
    """Evidence in memory, by digest."""

    held: dict[str, bytes] = field(default_factory=dict)

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that digest.

        Raises:
            EvidenceError: nothing of that digest is held.
        """
        if sha256 not in self.held:
            raise EvidenceError(f"there is no evidence {sha256[:12]}… in memory")
        return _checked(sha256, self.held[sha256])

    def put(self, evidence: Evidence) -> None:
        """Keep the payload of a piece of evidence."""
        if evidence.payload is not None:
            self.held[evidence.sha256] = evidence.payload

    def decode(self, evidence: Evidence) -> Any:
        """Return the evidence as the tensor, array, text or bytes it stands for."""
        return decoded(evidence, self.get(evidence.sha256))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FolderBlobs:
    """Evidence as files ``ab/cdef…`` under a folder; a file appears whole or not at all."""

    folder: Path

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
            raise EvidenceError(f"{digest!r} is no SHA-256 digest")
        return self.folder / digest[:2] / digest[2:]

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that digest, checked against it.

        Raises:
            EvidenceError: missing or changed.
        """
        path = self._path(sha256)
        try:
            data = path.read_bytes()
        except OSError as err:
            raise EvidenceError(f"evidence {sha256[:12]}… is not in {self.folder}: {err.strerror}") from err
        return _checked(sha256, data)

    def put(self, evidence: Evidence) -> None:
        """Keep the payload of a piece of evidence.

        Raises:
            EvidenceError: it cannot be written.
        """
        if evidence.payload is None:
            return
        path = self._path(evidence.sha256)
        if path.exists():
            return
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(evidence.payload)
            temporary.replace(path)
        except OSError as err:
            raise EvidenceError(f"cannot write {str(path)!r}: {err.strerror}", hint="is the disk full?") from err

    def decode(self, evidence: Evidence) -> Any:
        """Return the evidence as the tensor, array, text or bytes it stands for."""
        return decoded(evidence, self.get(evidence.sha256))
