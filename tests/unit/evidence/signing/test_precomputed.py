"""Digests made elsewhere: both forms are read, and nothing that could be misread."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from redan.core.errors import Unreadable
from redan.evidence.keys import generate
from redan.evidence.signing import measure, precomputed, seal, verify

DIGEST = "0" * 64


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "weights.bin").write_bytes(b"w" * 1000)
    (root / "sub" / "a b.txt").write_text("words")
    (root / ".gitignore").write_text("x")
    return root


def test_a_statement_made_elsewhere_is_the_one_signed(model: Path, tmp_path: Path) -> None:
    manifest, _ = measure(model, shard_bytes=300, algorithm="blake2b")
    (tmp_path / "digests.json").write_bytes(manifest.statement())
    assert precomputed.load(tmp_path / "digests.json", name="other") == manifest


@pytest.mark.parametrize("program", ["sha256sum", "b2sum"])
def test_the_lines_of_checksum_programs_are_the_same_model(model: Path, tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    words = f"find . -type f -print0 | xargs -0 {program}"
    (tmp_path / "sums").write_bytes(
        subprocess.run(["sh", "-c", words], cwd=model, capture_output=True, check=True).stdout
    )
    manifest = precomputed.load(tmp_path / "sums", name="model")
    algorithm = "sha256" if program == "sha256sum" else "blake2b"
    assert manifest == measure(model, algorithm=algorithm)[0]
    signer = generate()
    (tmp_path / "sig").write_bytes(seal(manifest, signer).to_json())
    assert verify(model, tmp_path / "sig", keys=[signer.verifier]).n_files == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "words",
        f"{DIGEST}  a\n{DIGEST}  ./a\n",
        f"{DIGEST}  ../a\n",
        f"{DIGEST}  /etc/passwd\n",
        f"\\{DIGEST}  a\\nb\n",
        f"{DIGEST[1:]}  a\n",
        f"{DIGEST}  a\n{DIGEST * 2}  b\n",
        f"{DIGEST}  .git/config\n",
        "{}",
        '{"_type": 1',
    ],
)
def test_lines_that_could_be_misread_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sums").write_text(text)
    with pytest.raises(Unreadable):
        precomputed.load(tmp_path / "sums", name="m")


def test_absent_and_binary_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot read the digests"):
        precomputed.load(tmp_path / "absent", name="m")
    (tmp_path / "sums").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable, match="not UTF-8"):
        precomputed.load(tmp_path / "sums", name="m")
