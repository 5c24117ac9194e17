"""Shared fixtures: where the corpus and the data of this project lie, if they are here at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with corpus and models beside the repository, or named by REDAN_SHARED."""
    folder = Path(os.environ.get("REDAN_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared folder at {folder}; set REDAN_SHARED")
    return folder


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """The folder with the four IDX files of Fashion-MNIST."""
    from redan.subjects.data.builtin import FASHION_FOLDERS

    for folder in FASHION_FOLDERS:
        if (folder / "t10k-images-idx3-ubyte.gz").is_file():
            return folder
    pytest.skip("Fashion-MNIST is not installed: apt-get install dataset-fashion-mnist")
