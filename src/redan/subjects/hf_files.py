"""Which files of a Hugging Face folder are loaded; told without importing a framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CONFIGS = ("config.json", "preprocessor_config.json", "model.safetensors.index.json")


def is_hf_folder(folder: Path) -> bool:
    """Whether a folder holds a model of the Hugging Face layout."""
    return (folder / "config.json").is_file() and bool(weight_files(folder))


def files_to_load(folder: Path) -> list[Path]:
    """Return the files that loading the folder reads; code that lies beside them is never read."""
    return [folder / name for name in _CONFIGS if (folder / name).is_file()] + weight_files(folder)


def weight_files(folder: Path) -> list[Path]:
    """Return the files of weights; safetensors win over pickled ones."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
