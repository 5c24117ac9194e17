"""From a file to its manifest, within bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from redan.kernels.packages import locks, projects, recipes
from redan.kernels.packages.limits import LARGEST_BYTES
from redan.kernels.packages.requirements_txt import read_requirements
from redan.kernels.packages.toml import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redan.kernels.packages.model import Manifest

_READERS: dict[str, Callable[[str, str], Manifest]] = {
    "requirements": read_requirements,
    "constraints": partial(read_requirements, constraints=True),
    "pyproject": projects.read_pyproject,
    "setup-cfg": projects.read_setup_cfg,
    "setup-py": projects.read_setup_py,
    "pipfile": projects.read_pipfile,
    "poetry-lock": locks.read_poetry_lock,
    "pdm-lock": locks.read_pdm_lock,
    "uv-lock": locks.read_uv_lock,
    "pylock": locks.read_pylock,
    "pipfile-lock": locks.read_pipfile_lock,
    "package-lock": locks.read_package_lock,
    "conda": recipes.read_conda,
    "dockerfile": recipes.read_dockerfile,
    "notebook": recipes.read_notebook,
}


def read_manifest(path: Path, shown: str, kind: str) -> Manifest:
    """Read one file.

    Args:
        path: where it lies.
        shown: its path as reports show it.
        kind: slug from `redan.kernels.packages.kinds.kind_of`.

    Raises:
        UnreadableError: it is not what its name says, or larger than is read.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(LARGEST_BYTES + 1)
    return parse_manifest(data, shown, kind)


def parse_manifest(data: bytes, shown: str, kind: str) -> Manifest:
    """Read the content of one file.

    Raises:
        UnreadableError: it is not what its name says, or larger than is read.
    """
    if len(data) > LARGEST_BYTES:
        raise UnreadableError(f"larger than {LARGEST_BYTES >> 20} MiB")
    text = _decoded(data)
    if kind == "requirements" and "constraint" in shown.rpartition("/")[2].lower():
        return read_requirements(text, shown, constraints=True)
    return _READERS[kind](text, shown)


def _decoded(data: bytes) -> str:
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("no UTF-8 text") from error
