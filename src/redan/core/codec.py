"""Records to and from plain JSON values, driven by their dataclass fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from math import isfinite
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from redan.core.errors import ConfigError, nearest
from redan.core.finding import Severity

Record = TypeVar("Record")


def encode(value: Any) -> Any:
    """Turn records, severities, tuples and mappings into JSON values, without fields marked ``serialise: False``."""
    if isinstance(value, Severity):
        return value.word
    if value is None or isinstance(value, (str, int, float, bool)):
        return _finite(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value) if f.metadata.get("serialise", True)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return [encode(item) for item in value]


def _finite(value: Any) -> Any:
    """JSON knows neither infinities nor NaN; they travel as words.

    A field that takes numbers or text reads these three words as numbers; a field of text alone keeps them.
    """
    if isinstance(value, float) and not isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    return value


_WORDS = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


def decode(cls: type[Record], value: Any, where: str = "") -> Record:
    """Build a record from JSON values, checking names and kinds.

    Args:
        cls: a dataclass.
        value: what JSON or TOML gave.
        where: dotted path for messages.

    Raises:
        ConfigError: an unknown key (with the nearest known one), a missing key or a value of the wrong kind.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where or cls.__name__} is {_kind(value)}; expected a table of settings")
    hints = hints_of(cast(type, cls))
    known = {f.name: f for f in fields(cls) if f.metadata.get("serialise", True)}  # type: ignore[arg-type]  # any dataclass
    for key in value:
        if key not in known:
            near = nearest(str(key), list(known))
            path = f"{where}.{key}" if where else str(key)
            raise ConfigError(
                f"unknown key {path!r}",
                hint=f"did you mean {near!r}?" if near else f"known here: {', '.join(sorted(known))}",
            )
    given = {key: convert(hints[key], item, f"{where}.{key}" if where else key) for key, item in value.items()}
    for name, f in known.items():
        if name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f"{where or cls.__name__} lacks {name!r}, which has no default")
    return cls(**given)


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """Return the resolved field types of a record."""
    return get_type_hints(cls)


def convert(hint: Any, value: Any, where: str) -> Any:
    """Convert one JSON value to a field type.

    Raises:
        ConfigError: the value is of the wrong kind.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(args, value, where)
    if origin is Literal:
        if value in args:
            return value
        raise ConfigError(f"{where} is {value!r}; expected one of {', '.join(map(repr, args))}")
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin in (Mapping, dict):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {_kind(value)}; expected a table")
        return {str(k): convert(args[1], v, f"{where}.{k}") for k, v in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, value, where)
    return _convert_plain(hint, value, where)


def _convert_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    if float in args and isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    for option in args:
        if option is type(None):
            continue
        try:
            return convert(option, value, where)
        except ConfigError:
            continue
    wanted = " or ".join("nothing" if a is type(None) else getattr(a, "__name__", str(a)) for a in args)
    raise ConfigError(f"{where} is {value!r}; expected {wanted}")


def _convert_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} is {_kind(value)}; expected a list")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(convert(args[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(args):
        raise ConfigError(f"{where} has {len(value)} entries; expected {len(args)}")
    return tuple(convert(a, item, f"{where}[{i}]") for i, (a, item) in enumerate(zip(args, value, strict=True)))


def _convert_plain(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is Severity and isinstance(value, str):
        try:
            return Severity.of(value)
        except ValueError as err:
            raise ConfigError(f"{where}: {err}") from None
    if hint is float and isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) and hint is not bool:
        raise ConfigError(f"{where} is {value!r}; expected {hint.__name__}")
    if isinstance(value, hint):
        return value
    raise ConfigError(f"{where} is {_kind(value)}; expected {hint.__name__}")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r}"[:80]
