"""Typed, frozen parameter sets of probes; part of every finding."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, get_args, get_type_hints

from redan.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redan.core.finding import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Base of every parameter set; a subclass is a frozen dataclass of scalars with defaults."""

    def as_dict(self) -> dict[str, Scalar]:
        """Return the values by name, as they appear in a finding."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def names(cls) -> list[str]:
        """Return the parameter names in order."""
        return [f.name for f in fields(cls)]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Build from loose values, checking names and kinds.

        Raises:
            UnknownName: no such parameter, with the nearest one.
            UsageError: a value of the wrong kind.
        """
        hints = get_type_hints(cls)
        for name, value in values.items():
            if name not in hints:
                raise UnknownName.among("parameter", name, cls.names())
            if not _fits(value, hints[name]):
                raise UsageError(f"parameter {name!r} is {value!r}; expected {_words(hints[name])}")
        return cls(**{name: _coerce(value, hints[name]) for name, value in values.items()})

    @classmethod
    def subset(cls, values: Mapping[str, Any]) -> Self:
        """Build from those of the values this set knows; the others belong to other probes."""
        known = set(cls.names())
        return cls.of({name: value for name, value in values.items() if name in known})

    @classmethod
    def defaults(cls) -> dict[str, Scalar]:
        """Return the default of each parameter."""
        return {f.name: f.default for f in fields(cls) if f.default is not MISSING}


def _fits(value: Any, hint: Any) -> bool:
    options = get_args(hint)
    if options and not isinstance(hint, type) and all(not isinstance(o, type) for o in options):
        return value in options
    kinds = options or (hint,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(k for k in kinds if isinstance(k, type))) or (
        isinstance(value, int) and float in kinds
    )


def _coerce(value: Any, hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if float in kinds and int not in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _words(hint: Any) -> str:
    options = get_args(hint)
    if options:
        return " or ".join("nothing" if o is type(None) else getattr(o, "__name__", repr(o)) for o in options)
    return getattr(hint, "__name__", str(hint))
