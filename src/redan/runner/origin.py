"""What a run is made of: the state of its code in git, its interpreter and packages, its machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.errors import Unreadable
from redan.evidence.provenance import Dependency
from redan.runner import facts

_GIT_S = 60.0
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat")
"""A repository's own settings must not start programs."""


def code_of(folder: Path, *, without: tuple[Path, ...] = ()) -> Dependency | None:
    """Describe the code in a folder: its commit, and a digest of all that differs from it.

    Args:
        folder: in a git repository.
        without: folders whose changes do not count, such as the outputs.

    Returns:
        None where git is not installed or the folder is in no repository with a commit.

    Raises:
        Unreadable: git failed.
    """
    git = shutil.which("git")
    if git is None:
        return None
    root = _asked(git, folder, "rev-parse", "--show-toplevel")
    commit = _asked(git, folder, "rev-parse", "--verify", "HEAD")
    if root is None or commit is None:
        return None
    top = Path(os.fsdecode(root.strip()))
    inside = [each.resolve().relative_to(top) for each in without if each.resolve().is_relative_to(top)]
    scope = ("--", ".", *(f":(exclude,literal){path}" for path in inside))
    changed = _asked(git, top, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD", *scope)
    untracked = _asked(git, top, "ls-files", "--others", "--exclude-standard", "-z", *scope)
    if changed is None or untracked is None:
        raise Unreadable(f"git cannot say what was changed in {folder.name!r}")
    dirty = bool(changed or untracked)
    difference = sha256(changed + b"\0" + _contents(top, untracked)).hexdigest()
    return Dependency(
        uri=f"git+file:{folder.resolve().name}",
        digest={"gitCommit": commit.decode().strip()},
        annotations={"role": "code", "dirty": dirty, **({"diffSha256": difference} if dirty else {})},
    )


def _contents(top: Path, names: bytes) -> bytes:
    """Digest files that git does not know."""
    lines = []
    for name in sorted(filter(None, names.split(b"\0"))):
        path = top / os.fsdecode(name)
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        lines.append(sha256(content).hexdigest().encode() + b"  " + name + b"\n")
    return b"".join(lines)


def _asked(git: str, folder: Path, *words: str) -> bytes | None:
    done = subprocess.run(  # noqa: S603  git with fixed words and without the repository's programs
        [git, *_SAFE, *words],
        cwd=folder if folder.is_dir() else folder.parent,
        capture_output=True,
        timeout=_GIT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def packages_of(prefix: Path) -> tuple[Dependency, ...]:
    """Describe the Python packages of an environment, with the digest over what their installer recorded.

    Args:
        prefix: where the program is installed; one without Python packages has none.
    """
    from redan.kernels.packages.installed import read_environment
    from redan.kernels.packages.toml import UnreadableError

    try:
        found = read_environment(prefix, prefix.name).packages
    except UnreadableError:
        return ()
    return tuple(
        Dependency(
            uri=f"pkg:pypi/{package.name}@{package.version}",
            annotations={"installed": list(package.hashes)} if package.hashes else {},
        )
        for package in sorted(found, key=lambda each: (each.name, each.version))
    )


def platform_of(program: Path) -> dict[str, Any]:
    """Describe interpreter and machine, as far as they are known without running anything of the command's."""
    return {
        "machine": facts.machine(),
        "python": _python_of(program.parent.parent),
        "accelerators": sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")),
    }


def _python_of(prefix: Path) -> str:
    """The version of an environment's Python; empty where there is none."""
    settings = prefix / "pyvenv.cfg"
    lines = settings.read_text(encoding="utf-8").splitlines() if settings.is_file() else []
    stated = dict(line.replace(" ", "").split("=", 1) for line in lines if "=" in line)
    found = sorted(path.name.removeprefix("python") for path in prefix.glob("lib/python3*"))
    return stated.get("version") or stated.get("version_info") or " ".join(found)
