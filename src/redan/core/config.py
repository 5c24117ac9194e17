"""Configuration: flags over environment over file over defaults, merged key by key, each value with its origin."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.codec import convert, decode, encode, hints_of
from redan.core.errors import ConfigError, Unreadable, nearest
from redan.core.settings import Settings

FILE = "redan.toml"
PREFIX = "REDAN_"
_OUTSIDE = (
    *("SHARED", "PEERS", "HYPOTHESIS", "PLUGINS", "DEBUG"),
    *("WEBHOOK_SECRET", "SMTP_USER", "SMTP_PASSWORD", "OIDC_SECRET", "TOKEN"),
)
"""Variables with our prefix that are no settings: places and profiles of the test-suite and of debugging; secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings in force.

    Attributes:
        settings: the values.
        origins: dotted key → where its value came from, for every key that is not a default.
        root: folder that relative paths in the settings start from.
        file: the redan.toml that was read, or None.
    """

    settings: Settings
    origins: Mapping[str, str]
    root: Path
    file: Path | None

    @property
    def digest(self) -> str:
        """SHA-256 of the values in force, whatever their origin."""
        return sha256(json.dumps(encode(self.settings), sort_keys=True).encode()).hexdigest()

    def path(self, value: str) -> Path:
        """Resolve a path of the settings against the configuration's folder."""
        return (self.root / value).resolve() if value else self.root

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (dotted key, value, origin) for every setting, in order."""
        return [(key, value, self.origins.get(key, "default")) for key, value in _leaves(self.settings)]


def find(start: Path) -> Path | None:
    """Return the nearest redan.toml in a folder or above it."""
    for folder in (start, *start.parents):
        candidate = folder / FILE
        if candidate.is_file():
            return candidate
    return None


def load(
    *, file: Path | None, root: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Config:
    """Merge the four sources.

    Args:
        file: a redan.toml, or None for none.
        root: folder that relative paths start from when there is no file.
        environ: environment; ``REDAN_GATE_LEVEL`` sets ``[gate] level``.
        flags: dotted key → value, from the command line; a value of None means the flag was not given.

    Raises:
        Unreadable: the file cannot be read.
        ConfigError: unknown key, wrong kind of value, broken TOML.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is not None:
        tree = _read(file)
        decode(Settings, tree)  # names and kinds, with the file's own words, before anything overrides them
        origins.update(dict.fromkeys(_keys(tree), str(file)))
    for key, text, variable in _environment(environ):
        _put(tree, key, _from_text(key, text, variable))
        origins[key] = f"environment {variable}"
    for key, value in (flags or {}).items():
        if value is not None:
            _put(tree, key, value)
            origins[key] = "flag"
    settings = decode(Settings, tree)
    return Config(settings=settings, origins=origins, root=file.parent.resolve() if file else root, file=file)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as err:
        raise Unreadable(f"cannot read {str(file)!r}: {err.strerror}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{file.name} is not valid TOML: {err}") from err


def _leaves(record: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for f in fields(record):
        value = getattr(record, f.name)
        key = f"{prefix}{f.name}"
        if is_dataclass(value) and not isinstance(value, type):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, encode(value)


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _keys(value, f"{key}.")
        else:
            yield f"{prefix}{key}"


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
    tree[last] = value


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    known = {PREFIX + key.replace(".", "_").upper(): key for key, _ in _leaves(Settings())}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable.removeprefix(PREFIX) in _OUTSIDE:
            continue
        if variable not in known:
            near = nearest(variable, list(known))
            raise ConfigError(
                f"the environment sets {variable}, which is no setting",
                hint=f"did you mean {near}?" if near else "see redan check --show-config",
            )
        yield known[variable], environ[variable], variable


def _from_text(key: str, text: str, variable: str) -> Any:
    """Read an environment value: as TOML where that gives the right kind, else as a plain string."""
    hint: Any = Settings
    for part in key.split("."):
        hint = hints_of(hint)[part]
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text
    for candidate in (value, text):
        try:
            convert(hint, candidate, variable)
        except ConfigError:
            continue
        return candidate
    convert(hint, text, variable)
    return text
