"""Which files belong to package managers, told by their names. Imported by every scan, so it imports nothing."""

from __future__ import annotations

_EXACT = {
    "pyproject.toml": "pyproject",
    "setup.cfg": "setup-cfg",
    "setup.py": "setup-py",
    "poetry.lock": "poetry-lock",
    "pdm.lock": "pdm-lock",
    "uv.lock": "uv-lock",
    "pipfile": "pipfile",
    "pipfile.lock": "pipfile-lock",
    "pylock.toml": "pylock",
    "package-lock.json": "package-lock",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
}
_FOLDERS = ("requirements", "constraints")
_REQUIREMENTS = ("requirements", "constraints", "requirement")


def kind_of(shown: str) -> str:
    """Return the slug of the format that a path names, or an empty string."""
    folder, _, name = shown.lower().rpartition("/")
    return _EXACT.get(name) or _by_ending(name, folder.rpartition("/")[2])


def _by_ending(name: str, folder: str) -> str:
    stem, _, ending = name.rpartition(".")
    if ending in ("txt", "in", "pip"):
        listed = stem.startswith(_REQUIREMENTS) or stem.endswith(_REQUIREMENTS)
        return "requirements" if listed or folder in _FOLDERS else ""
    if ending in ("yml", "yaml"):
        return "conda" if stem.startswith(("environment", "conda-env", "conda_env")) else ""
    if ending == "toml":
        return "pylock" if stem.startswith("pylock.") else ""
    if ending == "ipynb":
        return "notebook"
    return "dockerfile" if ending == "dockerfile" or name.startswith("dockerfile.") else ""
