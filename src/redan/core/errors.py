"""Every error Redan raises on purpose, with advice.

    RedanError
    ├── UsageError                wrong words on the command line or in a call
    │   ├── ConfigError           redan.toml, an environment variable or a flag does not fit
    │   └── UnknownName           no probe, rule, writer, verb … of that name
    ├── MissingDependency         an extra is not installed (also an ImportError)
    ├── SubjectError              what was to be measured cannot be measured
    │   ├── CapabilityMissing     the probe needs more than the subject offers
    │   ├── UnsafeArtifact        the file was scanned and refused before loading
    │   ├── Unreadable            missing, empty, without permission, or not in a format we read
    │   ├── ShapeMismatch         the model and the data do not fit together
    │   └── SubjectFailed         the model or endpoint itself raised, hung or answered nonsense
    │       └── Contained         a service answered, and then refused whoever attacked it
    ├── BudgetSpent               the budget ended before anything could be said
    ├── Skipped                   a probe was not given what only the user can give
    ├── EvidenceError             stored evidence is missing or was changed
    │   └── SignatureRefused      a signature, proof or digest does not fit what it should cover
    └── InternalError             a bug in Redan

A message says what happened and what was expected; the hint says what to type next.
"""

from __future__ import annotations


class RedanError(Exception):
    """Base of every deliberate error.

    Args:
        message: what happened and what was expected, one sentence.
        hint: what to do or type next.
    """

    code = "RDN-E000"
    """Stable identifier that scripts can match on; unlike the message it never changes."""
    exit_code = 2
    """What the command line exits with when this error ends it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def diagnostics(self) -> str:
        """Text for a person: the message, its cause if there is one, and the advice."""
        lines = [f"{self.code}: {self.message}"]
        if self.__cause__ is not None and str(self.__cause__) not in self.message:
            lines.append(f"  cause: {type(self.__cause__).__name__}: {self.__cause__}")
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class UsageError(RedanError):
    """The words of a command or call do not fit together."""

    code = "RDN-E100"


class ConfigError(UsageError):
    """A setting in redan.toml, the environment or a flag is unknown or of the wrong kind."""

    code = "RDN-E110"


class UnknownName(UsageError):
    """There is no probe, rule, threat, writer or verb of that name."""

    code = "RDN-E120"

    @classmethod
    def among(cls, what: str, name: str, known: list[str]) -> UnknownName:
        """Build the error with the nearest known name as its hint."""
        near = nearest(name, known)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        return cls(f"there is no {what} named {name!r}", hint=hint)


class MissingDependency(RedanError, ImportError):
    """A library that an extra brings is not installed."""

    code = "RDN-E200"

    @classmethod
    def of(cls, module: str, extra: str, purpose: str) -> MissingDependency:
        """Build the error that names the missing module and the extra which brings it."""
        return cls(f"{purpose} needs {module!r}, which is not installed", hint=f'pip install "redan[{extra}]"')


class SubjectError(RedanError):
    """The subject cannot be measured, so nothing can be said about it."""

    code = "RDN-E300"
    exit_code = 3


class CapabilityMissing(SubjectError):
    """A probe needs a capability the subject does not offer."""

    code = "RDN-E310"


class UnsafeArtifact(SubjectError):
    """A model file was scanned before loading and is not safe to load."""

    code = "RDN-E320"
    exit_code = 1


class Unreadable(SubjectError):
    """A file is missing, empty, not permitted or not in a format that Redan reads."""

    code = "RDN-E330"


class ShapeMismatch(SubjectError):
    """Model and data do not fit together in shape, type or value range."""

    code = "RDN-E340"


class SubjectFailed(SubjectError):
    """The model or endpoint raised, did not answer in time, or answered something that is not a prediction."""

    code = "RDN-E350"


class Contained(SubjectFailed):
    """A service answered, and then refused whoever attacked it: what was not measured by then is unknown."""

    code = "RDN-E351"


class BudgetSpent(RedanError):
    """The budget ended before anything could be said."""

    code = "RDN-E400"
    exit_code = 3


class Skipped(RedanError):
    """A probe was not given what only the user can give; its outcome is ``skipped``, which is never read as clean."""

    code = "RDN-E410"
    exit_code = 3


class EvidenceError(RedanError):
    """Stored evidence is missing or does not have the digest it was stored under."""

    code = "RDN-E500"
    exit_code = 3


class SignatureRefused(EvidenceError):
    """A signature, proof or digest does not fit what it should cover."""

    code = "RDN-E510"
    exit_code = 1


class InternalError(RedanError):
    """Something that Redan itself got wrong."""

    code = "RDN-E900"
    exit_code = 4


def nearest(name: str, known: list[str]) -> str | None:
    """Return the known name most like ``name``, or None when nothing is near."""
    from difflib import get_close_matches  # 5 ms of import that only the error path pays

    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None
