"""Where audit keeps its files, and what is made there at the first start.

Below the folder that ``[audit] log`` names lie the log of each replica, acts that verbs hand over while a server writes
(``spool``) and what the policy keeps beside the log (``kept``). The log's key and the secret of pseudonyms and kept
content lie elsewhere, as ``[audit] key`` names them. All of it is the owner's alone.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import UsageError
from redan.evidence.encryption.sources import key_from, make_key
from redan.evidence.encryption.wrapping import LocalKey
from redan.evidence.keys import Signer, generate, load_signer, save
from redan.evidence.log import create_log
from redan.evidence.log.reading import CHECKPOINT

if TYPE_CHECKING:
    from redan.core.settings import Settings

_SPOOL, _KEPT = "spool", "kept"
_OWNER_ONLY = 0o700


def replica_name(settings: Settings) -> str:
    """Return the name of this replica: the configured one, else the host's with the port."""
    return settings.serve.name or f"{socket.gethostname()}-{settings.serve.address.rpartition(':')[2]}"


def base(settings: Settings, root: Path) -> Path:
    """Return the folder that holds the logs of all replicas of this machine."""
    return root / settings.audit.log


def log_folder(settings: Settings, root: Path, replica: str) -> Path:
    """Return the folder of one replica's log.

    Raises:
        UsageError: the name gives no folder of its own.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "-", replica)
    if name.startswith(".") or name in {"", _SPOOL, _KEPT}:
        raise UsageError(f"{replica!r} cannot be the name of a replica", hint="name it in [serve] name: gateway-1")
    return base(settings, root) / name


def spool_folder(settings: Settings, root: Path) -> Path:
    """Return where acts wait that were handed over to a server."""
    return base(settings, root) / _SPOOL


def kept_folder(settings: Settings, root: Path) -> Path:
    """Return where encrypted inputs and answers lie."""
    return base(settings, root) / _KEPT


def log_folders(settings: Settings, root: Path) -> list[Path]:
    """Return the logs that are there, in the order of their names."""
    folder = base(settings, root)
    return sorted(p.parent for p in folder.glob(f"*/{CHECKPOINT}")) if folder.is_dir() else []


def made_log(settings: Settings, root: Path, replica: str) -> tuple[Path, Signer]:
    """Return a replica's log and the key that signs it; both are made where there are none.

    Raises:
        UsageError: they cannot be made.
        Unreadable: the key cannot be read.
    """
    folder = log_folder(settings, root, replica)
    signer = _signer(root / settings.audit.key)
    _made(folder)
    if not (folder / CHECKPOINT).exists():
        create_log(folder, signer, settings.audit.origin or f"redan/{folder.name}")
    return folder, signer


def secret(settings: Settings, root: Path, *, make: bool = True) -> LocalKey:
    """Return the secret that pseudonyms and the keys of kept content come from; replicas need the same one.

    Raises:
        Unreadable: it is missing (and ``make`` is false), no key, or readable by others.
    """
    path = (root / settings.audit.key).with_suffix(".secret")
    if make:
        _made(path.parent)
        make_key(f"file:{path}", root=root)
    found = key_from(f"file:{path}", root=root)
    assert isinstance(found, LocalKey)
    return found


def _signer(path: Path) -> Signer:
    if not path.exists():
        _made(path.parent)
        # of two processes that start at once one makes the key, the other reads it
        try:
            save(generate("ed25519"), path)
        except UsageError:
            if not path.exists():
                raise
    return load_signer(path)


def _made(folder: Path) -> None:
    """Make a folder and its missing parents for the owner alone; what is there already stays as it is."""
    try:
        for parent in reversed([folder, *folder.parents]):
            if not parent.is_dir():
                parent.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    except OSError as err:
        raise UsageError(f"cannot make the folder {str(folder)!r}: {err.strerror}") from err
