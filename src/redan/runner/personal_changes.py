"""What can be done to columns that tell of people: left out, masked, generalised, or replaced under a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from redan.core.errors import Unreadable, UsageError
from redan.core.record import dataclass
from redan.evidence.datasets.rows import Rows
from redan.kernels.pseudonyms import Preserving, column_key, one_way, token, value_of

Way = Literal["token", "one-way", "digits", "lower", "upper", "alphanumeric"]
WAYS: tuple[Way, ...] = ("token", "one-way", "digits", "lower", "upper", "alphanumeric")
"""How a value is replaced under a key; all but ``one-way`` can be turned back, the last four keep the value's form."""

PREFIX = "p_"
"""What tokens begin with, so that they are told from values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What to do to which columns, without a key.

    Attributes:
        drop: columns to leave out.
        mask: columns whose cells keep their length's class and first sign.
        generalise: columns whose cells become ranges, months, years or the frequent categories.
        scrub: columns of free text in which identifiers are replaced by their kind.
        bins: ranges of a number.
        share: rows below which a category is one of the others.
    """

    drop: Sequence[str] = ()
    mask: Sequence[str] = ()
    generalise: Sequence[str] = ()
    scrub: Sequence[str] = ()
    bins: int = 8
    share: float = 0.02


def anonymised(rows: Rows, steps: Steps) -> Rows:
    """Return the rows with the steps done; other columns stay as they are.

    Raises:
        UnknownName: a column is none of the table's.
        UsageError: one column is named for two steps, or no step was named.
    """
    named = [*steps.drop, *steps.mask, *steps.generalise, *steps.scrub]
    if not named or len(set(named)) < len(named):
        raise UsageError("name every column for one step", hint="--drop name --mask phone --generalise age")
    for name in named:
        rows.named(name)
    changes: dict[str, Callable[[list[Any]], list[Any]]] = {
        **dict.fromkeys(steps.mask, _masked),
        **{name: lambda cells: _generalised(cells, steps) for name in steps.generalise},
        **dict.fromkeys(steps.scrub, scrubbed),
    }
    columns = {name: changes.get(name, list)(cells) for name, cells in rows.columns.items() if name not in steps.drop}
    return Rows(columns=columns, ending=rows.ending)


def _masked(cells: list[Any]) -> list[Any]:
    from redan.kernels.personal import masked

    return [cell if _empty(cell) else masked(str(cell)) for cell in cells]


def _empty(cell: Any) -> bool:
    return cell is None or cell == ""


def numbers_of(cells: Sequence[Any]) -> Any:
    """Return cells as float64 with NaN for missing ones, or nothing where one is no number."""
    import numpy as np

    try:
        return np.array([np.nan if _empty(cell) else float(cell) for cell in cells])
    except (TypeError, ValueError):
        return None


def _generalised(cells: list[Any], steps: Steps) -> list[Any]:
    import numpy as np

    from redan.kernels.anonymity.ladders import ladder, merged, ranges

    numbers = numbers_of(cells)
    if numbers is not None:
        return [str(cell) for cell in ranges(numbers, steps.bins)]
    words = np.array(["" if cell is None else str(cell) for cell in cells], dtype=object)
    rungs = ladder(words)
    is_dated = len(rungs) > 1 and all(len(word) in (4, 7) for word in np.unique(rungs[1].astype(str)))
    return [str(cell) for cell in (rungs[1] if is_dated else merged(words, steps.share))]


def scrubbed(cells: list[Any]) -> list[Any]:
    """Return free texts with every identifier that is recognised replaced by its kind, ``[email]``."""
    from redan.kernels.personal.recognise import Recogniser

    recogniser = Recogniser()
    found: list[Any] = []
    for cell in cells:
        text = "" if cell is None else str(cell)
        for each in reversed(recogniser.find(text)):
            text = f"{text[: each.start]}[{each.kind}]{text[each.end :]}"
        found.append(cell if cell is None else text)
    return found


def secret_of(source: str, root: Path) -> bytes:
    """Return the main key that a source names, ``file:PATH`` and the others that the store knows.

    Raises:
        UsageError: the source is a service that never gives its key away.
        Unreadable, ConfigError, MissingDependency: as `redan.evidence.encryption.sources.key_from`.
    """
    from redan.evidence.encryption.sources import key_from
    from redan.evidence.encryption.wrapping import LocalKey

    key = key_from(source, root=root)
    if not isinstance(key, LocalKey):
        raise UsageError(
            f"{source!r} gives no key away, and pseudonyms need it here", hint="use file:, env: or keyring:"
        )
    return key.secret


def pseudonymised(rows: Rows, ways: Mapping[str, Way], secret: bytes, *, joined: Mapping[str, str]) -> Rows:
    """Return the rows with some columns replaced under a key; empty cells stay empty.

    Args:
        rows: the table.
        ways: column → how.
        secret: main key.
        joined: column → name that its key is made for, where columns of several tables shall have equal pseudonyms.

    Raises:
        UnknownName: a column is none of the table's.
        UsageError: a value is too short for its way; the row is named, the value is not.
    """
    return _through(rows, ways, secret, joined, back=False)


def revealed(rows: Rows, ways: Mapping[str, Way], secret: bytes, *, joined: Mapping[str, str]) -> Rows:
    """Return the rows as they were before `pseudonymised` with the same arguments.

    Raises:
        UsageError: a column was replaced one-way.
        Unreadable: a cell was not made with this key.
    """
    if gone := [name for name, way in ways.items() if way == "one-way"]:
        raise UsageError(f"one-way tokens lead nowhere back: {', '.join(gone)}")
    return _through(rows, ways, secret, joined, back=True)


def _through(rows: Rows, ways: Mapping[str, Way], secret: bytes, joined: Mapping[str, str], *, back: bool) -> Rows:
    columns = dict(rows.columns)
    for name, way in ways.items():
        change = _change(column_key(secret, joined.get(name, name), way), way, back=back)
        columns[name] = [
            cell if _empty(cell) else _changed(change, str(cell), name, row)
            for row, cell in enumerate(rows.named(name), 1)
        ]
    return Rows(columns=columns, ending=rows.ending)


def _changed(change: Callable[[str], str], cell: str, name: str, row: int) -> str:
    from redan.core.errors import ShapeMismatch

    try:
        return change(cell)
    except ShapeMismatch as err:
        raise UsageError(f"column {name!r}, row {row}: {err.message}", hint=err.hint) from err
    except Unreadable as err:
        raise Unreadable(f"column {name!r}, row {row}: {err.message}", hint=err.hint) from err


def _change(key: bytes, way: Way, *, back: bool) -> Callable[[str], str]:
    if way == "one-way":
        return lambda cell: one_way(key, cell, prefix=PREFIX)
    if way == "token":
        turn = value_of if back else token
        return lambda cell: turn(key, cell, prefix=PREFIX)
    cipher = Preserving(key, way)
    return cipher.decrypt if back else cipher.encrypt


def k_anonymous(rows: Rows, quasi: Sequence[str], k: int, *, most_left_out: float) -> Rows:
    """Return the rows with quasi-identifiers generalised, and without those that still stand with fewer than k.

    Raises:
        UnknownName: a column is none of the table's.
        UsageError: k cannot be reached, as `redan.kernels.anonymity.reach`.
    """
    import numpy as np

    from redan.kernels.anonymity import reach

    def cells(name: str) -> Any:
        numbers = numbers_of(rows.named(name))
        words = np.array(["" if cell is None else str(cell) for cell in rows.named(name)], dtype=object)
        return words if numbers is None else numbers

    found = reach({name: cells(name) for name in quasi}, k, most_left_out=most_left_out)
    changed = {
        name: [str(cell) for cell in found.columns[name]] if found.steps.get(name) else column
        for name, column in rows.columns.items()
    }
    kept = found.kept.tolist()
    columns = {
        name: [cell for cell, stays in zip(column, kept, strict=True) if stays] for name, column in changed.items()
    }
    return Rows(columns=columns, ending=rows.ending)
