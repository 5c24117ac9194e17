"""What lies in a folder: model files and data, told by content and by name, nothing loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODEL_ENDINGS = (
    ".onnx",
    ".keras",
    ".safetensors",
    ".pt",
    ".pth",
    ".joblib",
    ".pkl",
    ".pickle",
    ".ubj",
    ".bst",
    ".pt2",
    ".skops",
)
DATA_ENDINGS = (".npz", ".csv", ".parquet")
MOST_FILES = 2000
_FACTORY = re.compile(r"^def (\w+)\(\s*\)\s*->\s*(?:\w+\.)*(Module|Sequential|Model|Classifier)\b", re.MULTILINE)
_SKIPPED = frozenset({".git", ".venv", "node_modules", "__pycache__", ".redan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Candidates, relative to the folder, most likely first."""

    models: tuple[str, ...]
    data: tuple[str, ...]


def survey(folder: Path) -> Survey:
    """Look for models and data in a folder and below it."""
    files = sorted(_files(folder), key=lambda f: (len(f.relative_to(folder).parts), f.name))
    models = [t for ending in MODEL_ENDINGS for f in files if f.suffix == ending for t in (_relative(f, folder),)]
    models += [_relative(f, folder) for f in files if f.suffix == ".json" and _is_xgboost(f)]
    hf = [_relative(f.parent, folder) for f in files if f.name == "config.json" and _is_hf(f)]
    factories = [t for f in files if f.suffix == ".py" for t in _factories(f, folder)]
    data = [_relative(f, folder) for ending in DATA_ENDINGS for f in files if f.suffix == ending]
    return Survey(models=(*hf, *factories, *models), data=tuple(sorted(data, key=lambda d: "train" in d.lower())))


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    stack = [folder]
    while stack:
        for entry in _listed(stack.pop()):
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in _SKIPPED and not entry.name.startswith("."):
                    stack.append(entry)
            elif entry.is_file():
                count += 1
                if count > MOST_FILES:
                    return
                yield entry


def _listed(folder: Path) -> list[Path]:
    """Return what a folder holds; one that may not be listed offers nothing, and only the scan has to say so."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return []


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() or "."


def _is_hf(config: Path) -> bool:
    return any((config.parent / name).exists() for name in ("model.safetensors", "model.safetensors.index.json"))


def _is_xgboost(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return b'"learner"' in stream.read(64)
    except OSError:
        return False


def _factories(file: Path, folder: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [f"{_relative(file, folder)}:{name}" for name, _ in _FACTORY.findall(text)]
