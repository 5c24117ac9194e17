"""Where a key-encryption key comes from: a file, the environment, the system's keyring, or HashiCorp Vault."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redan.core.errors import ConfigError, MissingDependency, Unreadable, UsageError
from redan.evidence.encryption.wrapping import KeyEncryptionKey, local_key, new_key_text

LARGEST_KEY_BYTES = 4096
FORMS = "file:PATH, env:NAME, keyring:SERVICE/NAME, vault-transit:MOUNT/KEY or vault-kv:MOUNT/PATH#FIELD"


def key_from(source: str, *, root: Path) -> KeyEncryptionKey:
    """Get a key from where a setting says that it lies.

    Args:
        source: one of the forms in `FORMS`.
        root: folder that a relative path starts from.

    Raises:
        ConfigError: the source has none of these forms.
        Unreadable: nothing is there, or it is no key.
        MissingDependency: the source needs a library that is not installed.
    """
    kind, _, rest = source.partition(":")
    if kind not in _SOURCES or not rest:
        raise ConfigError(f"{source!r} is no source of a key", hint=f"write {FORMS}")
    return _SOURCES[kind](rest, root)


def make_key(source: str, *, root: Path) -> bool:
    """Make a new key where the source says, if it is a file or a keyring that has none yet.

    Returns:
        Whether a key was made.

    Raises:
        UsageError: the key cannot be kept there.
        MissingDependency: as in `key_from`.
    """
    kind, _, rest = source.partition(":")
    if kind == "file":
        return _make_file(root / rest)
    if kind == "keyring":
        return _make_in_keyring(rest)
    return False


def _make_file(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as err:
        raise UsageError(f"cannot write the key {str(path)!r}: {err.strerror}") from err
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(new_key_text() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def _make_in_keyring(rest: str) -> bool:
    keyring, service, name = _keyring(rest)
    if keyring.get_password(service, name) is not None:
        return False
    try:
        keyring.set_password(service, name, new_key_text())
    except keyring.errors.KeyringError as err:
        raise UsageError(f"the keyring keeps no key: {err}", hint="use file:PATH where there is no desktop") from err
    return True


def _from_file(rest: str, root: Path) -> KeyEncryptionKey:
    path = root / rest
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(LARGEST_KEY_BYTES)
    except OSError as err:
        raise Unreadable(f"cannot read the key {str(path)!r}: {err.strerror}") from err
    if mode & 0o077:
        raise Unreadable(f"the key {str(path)!r} can be read by others (mode {mode:o})", hint=f"chmod 600 {path}")
    return local_key(data.decode("ascii", "replace"), repr(str(path)))


def _from_environment(rest: str, root: Path) -> KeyEncryptionKey:
    if rest not in os.environ:
        raise Unreadable(f"the environment has no {rest}; expected the store's key in it")
    return local_key(os.environ[rest], f"the environment variable {rest}")


def _from_keyring(rest: str, root: Path) -> KeyEncryptionKey:
    keyring, service, name = _keyring(rest)
    try:
        text = keyring.get_password(service, name)
    except keyring.errors.KeyringError as err:
        raise Unreadable(f"the system's keyring does not answer: {err}") from err
    if text is None:
        raise Unreadable(f"the system's keyring has no {name!r} of {service!r}", hint="redan store init makes one")
    return local_key(text, f"the keyring's {name!r} of {service!r}")


def _keyring(rest: str) -> tuple[Any, str, str]:
    service, _, name = rest.rpartition("/")
    if not service or not name:
        raise ConfigError(f"keyring:{rest} names no service and name", hint="write keyring:SERVICE/NAME")
    try:
        import keyring
        import keyring.errors
    except ImportError as err:
        raise MissingDependency.of("keyring", "store", "a key in the system's keyring") from err
    return keyring, service, name


def _from_transit(rest: str, root: Path) -> KeyEncryptionKey:
    from redan.evidence.encryption.vault import transit_key

    return transit_key(rest)


def _from_kv(rest: str, root: Path) -> KeyEncryptionKey:
    from redan.evidence.encryption.vault import kv_key

    return kv_key(rest)


_SOURCES: dict[str, Callable[[str, Path], KeyEncryptionKey]] = {
    "file": _from_file,
    "env": _from_environment,
    "keyring": _from_keyring,
    "vault-transit": _from_transit,
    "vault-kv": _from_kv,
}
