"""Evidence by digest: what was put comes back, and what was changed is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redan.core.errors import EvidenceError
from redan.core.finding import Evidence
from redan.evidence.blobs import NPY, TORCH_NPY, FolderBlobs, MemoryBlobs, load_npy, save_npy

BLOB = Evidence.of("x", b"some bytes", "application/octet-stream")


@pytest.fixture(params=["memory", "folder"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each store."""
    return MemoryBlobs() if request.param == "memory" else FolderBlobs(tmp_path / "evidence")


def test_what_was_put_comes_back(blobs: Any) -> None:
    blobs.put(BLOB)
    blobs.put(BLOB)
    assert blobs.get(BLOB.sha256) == b"some bytes"
    assert blobs.decode(BLOB.stored()) == b"some bytes"


def test_what_was_never_put_is_missing(blobs: Any) -> None:
    with pytest.raises(EvidenceError):
        blobs.get(BLOB.sha256)


def test_evidence_without_bytes_stores_nothing(blobs: Any) -> None:
    blobs.put(BLOB.stored())
    with pytest.raises(EvidenceError):
        blobs.get(BLOB.sha256)


def test_bytes_under_a_wrong_digest_are_refused(blobs: Any) -> None:
    other = Evidence.of("y", b"other", "text/plain")
    blobs.put(Evidence(name="x", sha256=other.sha256, media_type="", size_bytes=1, payload=b"forged"))
    with pytest.raises(EvidenceError, match="was changed"):
        blobs.get(other.sha256)


@pytest.mark.parametrize("change", ["truncate", "flip", "remove"])
def test_a_changed_file_is_noticed(tmp_path: Path, change: str) -> None:
    store = FolderBlobs(tmp_path)
    store.put(BLOB)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    if change == "truncate":
        file.write_bytes(b"some")
    elif change == "flip":
        file.write_bytes(b"some Bytes")
    else:
        file.unlink()
    with pytest.raises(EvidenceError):
        store.get(BLOB.sha256)


def test_a_folder_holds_each_blob_once_and_nothing_half_written(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    for _ in range(3):
        store.put(BLOB)
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [f"{BLOB.sha256[:2]}/{BLOB.sha256[2:]}"]


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "Z" * 64, "a" * 63, "A" * 64, "a" * 63 + "/"])
def test_only_a_digest_names_a_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(EvidenceError, match="is no SHA-256 digest"):
        FolderBlobs(tmp_path).get(digest)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([True, False]),
        np.zeros((0, 4), np.int64),
        np.array([np.inf, -np.inf, np.nan]),
    ],
    ids=["floats", "booleans", "empty", "not finite"],
)
def test_arrays_and_tensors_come_back_with_type_and_shape(blobs: Any, array: np.ndarray) -> None:
    for media_type, given, kind in ((NPY, array, np.ndarray), (TORCH_NPY, torch.from_numpy(array), torch.Tensor)):
        blob = Evidence.of("a", save_npy(given), media_type)
        blobs.put(blob)
        back = blobs.decode(blob.stored())
        assert isinstance(back, kind)
        np.testing.assert_array_equal(np.asarray(back), array)
        assert np.asarray(back).dtype == array.dtype


def test_a_tensor_that_needs_gradients_can_be_kept() -> None:
    tensor = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(load_npy(save_npy(tensor)), np.ones(2, np.float32))


def test_text_and_json_come_back_as_text(blobs: Any) -> None:
    for media_type in ("text/plain", "application/json"):
        blob = Evidence.of("t", '{"größe": 1}'.encode(), media_type)
        blobs.put(blob)
        assert blobs.decode(blob) == '{"größe": 1}'


def test_objects_are_never_unpickled(blobs: Any) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        save_npy(np.array([object()], dtype=object))
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    hostile = Evidence.of("h", header + b"cos\nsystem\n(S'true'\ntR.", NPY)
    blobs.put(hostile)
    with pytest.raises(EvidenceError, match="are no array of numbers"):
        blobs.decode(hostile)


@pytest.mark.parametrize(("data", "media_type"), [(b"", NPY), (b"garbage", TORCH_NPY), (b"\xff\xfe", "text/plain")])
def test_evidence_that_is_not_what_it_says_is_an_evidence_error(blobs: Any, data: bytes, media_type: str) -> None:
    blob = Evidence.of("g", data, media_type)
    blobs.put(blob)
    with pytest.raises(EvidenceError, match=r"is no text|are no array of numbers"):
        blobs.decode(blob)
