"""The error tree: codes, exit codes, advice."""

from __future__ import annotations

import inspect

import pytest

from redan.core import errors
from redan.core.errors import MissingDependency, RedanError, UnknownName, nearest

TREE = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if issubclass(thing, RedanError)]


def test_codes_are_distinct_and_well_formed() -> None:
    codes = [error.code for error in TREE]
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 8 and code.startswith("RDN-E") and code[5:].isdigit() for code in codes)


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("RedanError", 2),
        ("UsageError", 2),
        ("ConfigError", 2),
        ("UnknownName", 2),
        ("MissingDependency", 2),
        ("SubjectError", 3),
        ("CapabilityMissing", 3),
        ("UnsafeArtifact", 1),
        ("Unreadable", 3),
        ("ShapeMismatch", 3),
        ("SubjectFailed", 3),
        ("BudgetSpent", 3),
        ("EvidenceError", 3),
        ("InternalError", 4),
    ],
)
def test_exit_codes(name: str, exit_code: int) -> None:
    assert getattr(errors, name).exit_code == exit_code


def test_every_error_of_the_tree_is_in_the_table_at_the_top_of_the_module() -> None:
    assert errors.__doc__ is not None
    assert [e.__name__ for e in TREE if e.__name__ not in errors.__doc__] == []


def unreadable(message: str, cause: str, hint: str = "") -> None:
    """Raise an error with a cause, as a reader of files does."""
    try:
        raise ValueError(cause)
    except ValueError as err:
        raise errors.Unreadable(message, hint=hint) from err


def test_diagnostics_name_code_cause_and_advice() -> None:
    with pytest.raises(RedanError) as caught:
        unreadable("cannot read 'x'", "bad byte at 7", "fetch it again")
    assert caught.value.diagnostics().splitlines() == [
        "RDN-E330: cannot read 'x'",
        "  cause: ValueError: bad byte at 7",
        "  try: fetch it again",
    ]


def test_diagnostics_say_nothing_twice_and_nothing_empty() -> None:
    with pytest.raises(RedanError) as caught:
        unreadable("cannot read 'x': bad byte at 7", "bad byte at 7")
    assert caught.value.diagnostics() == "RDN-E330: cannot read 'x': bad byte at 7"


def test_a_missing_extra_is_an_import_error_that_names_it() -> None:
    error = MissingDependency.of("torch", "torch", "attacking a module")
    assert isinstance(error, ImportError)
    assert error.message == "attacking a module needs 'torch', which is not installed"
    assert error.hint == 'pip install "redan[torch]"'


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("cascad", "cascade"), ("hopskpjump", "hopskipjump"), ("zzz", None), ("", None)],
)
def test_nearest(typed: str, expected: str | None) -> None:
    assert nearest(typed, ["cascade", "hopskipjump", "artifacts"]) == expected


def test_an_unknown_name_gives_the_nearest_or_all() -> None:
    assert UnknownName.among("probe", "cascad", ["cascade", "square"]).hint == "did you mean 'cascade'?"
    assert UnknownName.among("probe", "zzz", ["square", "cascade"]).hint == "known: cascade, square"
    assert UnknownName.among("probe", "zzz", []).hint == "known: none"
