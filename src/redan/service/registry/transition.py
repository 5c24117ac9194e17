"""One step in the life of a version, as it is signed: pushed, made a canary, promoted, rolled back, retired.

A transition is the predicate of an in-toto statement about the model's bytes. It names the transition of the same model
before it by digest, so that what lies in the registry is one chain for each model, and nobody can leave a link out but
the last ones: a chain that was cut short is found by holding it against the audit log, which names every transition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, Unreadable, UsageError
from redan.evidence.statements import Resource, Statement, statement, type_of

PREDICATE_TYPE = type_of("transition")
Act = Literal["push", "canary", "promote", "rollback", "retire"]
ACTS: tuple[str, ...] = get_args(Act)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What happened to a version.

    Attributes:
        name: of the model.
        version: which one.
        act: what happened.
        at: UTC time, ISO 8601.
        who: who did it, as identity knows it, or the login name at the command line.
        why: reason.
        previous: SHA-256 of the transition before it, hexadecimal; empty for the model's first.
        files: of a push: path inside the model → SHA-256; the one file's name for a single file.
        folder: of a push: whether the model is a folder.
        statements: of a push: SHA-256 of the bundle of statements; empty without any.
        data: of a push: SHA-256 of the manifest of the training data; empty without one.
        config: of a push: SHA-256 of the configuration; empty without one.
    """

    name: str
    version: str
    act: Act
    at: str
    who: str
    why: str = ""
    previous: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    folder: bool = False
    statements: str = ""
    data: str = ""
    config: str = ""

    def payload(self, model: Resource) -> bytes:
        """Return the bytes to sign; errors as in `redan.evidence.statements.statement`."""
        return statement([Resource(name=model.name, digest=model.digest)], PREDICATE_TYPE, encode(self))


def read(found: Statement) -> Transition:
    """Read a transition from a statement whose signature was verified.

    Raises:
        Unreadable: it is another kind of statement, or a field is unknown, missing or of another kind.
    """
    if found.predicate_type != PREDICATE_TYPE or len(found.subjects) != 1:
        raise Unreadable("the statement is no transition of one model")
    try:
        transition = decode(Transition, _plain(found.predicate))
    except ConfigError as err:
        raise Unreadable(f"the transition cannot be read: {err.message}") from err
    require_name("model", transition.name)
    require_name("version", transition.version)
    return transition


def require_name(what: str, name: str) -> str:
    """Return a name that can be a path, a label and a word on the command line.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise UsageError(
            f"{name[:80]!r} is no name of a {what}", hint="letters, digits, dot, dash and underscore; 64 at most"
        )
    return name


def _plain(predicate: Mapping[str, Any]) -> dict[str, Any]:
    return dict(predicate)
