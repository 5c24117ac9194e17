"""What a chain of transitions says: which versions there are, which is live, which was before. No file is read here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from redan.core.errors import EvidenceError, UsageError
from redan.evidence.statements import Resource
from redan.service.registry.transition import Transition

State = Literal["staged", "canary", "live", "standby", "retired"]
_HINT = "restore the registry from a backup, and find out who changed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A transition whose signature was verified.

    Attributes:
        transition: what it says.
        model: the resource it is about.
        sha256: digest of what was signed; the next one names it.
        key_id: who signed it.
    """

    transition: Transition
    model: Resource
    sha256: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version as it stands.

    Attributes:
        push: the transition that brought it.
        state: what became of it.
    """

    push: Signed
    state: State = "staged"

    @property
    def name(self) -> str:
        """Its name."""
        return self.push.transition.version


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One model.

    Attributes:
        name: of the model.
        versions: in the order they were pushed.
        before: versions that were live earlier and can be gone back to, the latest last.
        transitions: all of them, in order.
    """

    name: str
    versions: tuple[Version, ...] = ()
    before: tuple[str, ...] = ()
    transitions: tuple[Signed, ...] = ()

    @property
    def head(self) -> str:
        """Digest of the last transition, which the next one names."""
        return self.transitions[-1].sha256 if self.transitions else ""

    @property
    def live(self) -> Version | None:
        """What answers."""
        return next((version for version in self.versions if version.state == "live"), None)

    @property
    def canary(self) -> Version | None:
        """What answers a share of clients."""
        return next((version for version in self.versions if version.state == "canary"), None)

    def version(self, name: str) -> Version:
        """Return a version; ``live``, ``canary`` and ``latest`` stand for what they say.

        Raises:
            UsageError: there is none of that name.
        """
        if name == "live" and self.live is not None:
            return self.live
        if name == "canary" and self.canary is not None:
            return self.canary
        if name == "latest" and (kept := [v for v in self.versions if v.state != "retired"]):
            return kept[-1]
        for version in self.versions:
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions) or "none"
        raise UsageError(f"{self.name!r} has no version {name!r}", hint=f"known: {known}")


def ordered(found: Sequence[Signed]) -> dict[str, tuple[Signed, ...]]:
    """Put transitions into the order of their chains, one for each model.

    Raises:
        EvidenceError: a link is missing, or two transitions follow the same one.
    """
    chains: dict[str, tuple[Signed, ...]] = {}
    for name in sorted({each.transition.name for each in found}):
        own = [each for each in found if each.transition.name == name]
        following: dict[str, Signed] = {}
        for each in own:
            if each.transition.previous in following:
                raise EvidenceError(f"two transitions of {name!r} follow the same one", hint=_HINT)
            following[each.transition.previous] = each
        chain, at = [], ""
        while (link := following.get(at)) is not None:
            chain.append(link)
            at = link.sha256
        if len(chain) < len(own):
            raise EvidenceError(f"a transition of {name!r} is missing from the registry", hint=_HINT)
        chains[name] = tuple(chain)
    return chains


def history(name: str, chain: Sequence[Signed]) -> History:
    """Follow a chain.

    Raises:
        EvidenceError: a transition could not have been made where it stands.
    """
    found = History(name=name)
    for each in chain:
        try:
            found = after(found, each)
        except UsageError as err:
            raise EvidenceError(f"the registry says of {name!r} what cannot be: {err.message}", hint=_HINT) from err
    return found


def after(before: History, signed: Signed) -> History:
    """Return the history with one more transition.

    Raises:
        UsageError: it is not possible now, with the reason.
    """
    transition = signed.transition
    if transition.previous != before.head:
        raise UsageError(f"{before.name!r} was changed by somebody else meanwhile", hint="look at it and try again")
    grown = replace(before, transitions=(*before.transitions, signed))
    if transition.act == "push":
        return _pushed(grown, signed)
    version = before.version(transition.version)
    if version.state == "retired":
        raise UsageError(f"version {version.name} of {before.name!r} is retired", hint="push it again as a new version")
    if version.push.model.digest != signed.model.digest:
        raise UsageError(f"version {version.name} of {before.name!r} has other bytes than the transition is about")
    match transition.act:
        case "canary":
            return _canary(grown, version)
        case "promote":
            return _promoted(grown, version)
        case "rollback":
            return _rolled_back(grown, version)
        case "retire":
            return _retired(grown, version)


def _pushed(found: History, signed: Signed) -> History:
    name = signed.transition.version
    if any(version.name == name for version in found.versions):
        raise UsageError(f"{found.name!r} has a version {name} already", hint="versions never change; choose a new one")
    if not signed.transition.files:
        raise UsageError(f"version {name} of {found.name!r} has no files")
    return replace(found, versions=(*found.versions, Version(push=signed)))


def _canary(found: History, version: Version) -> History:
    if version.state == "live":
        raise UsageError(f"version {version.name} of {found.name!r} is live already")
    staged = _with(found, lambda v: "standby" if v.state == "canary" else v.state)
    return _with(staged, lambda v: "canary" if v.name == version.name else v.state)


def _promoted(found: History, version: Version) -> History:
    live = found.live
    if live is not None and live.name == version.name:
        raise UsageError(f"version {version.name} of {found.name!r} is live already")
    stood = _with(found, lambda v: "standby" if v.state == "live" else v.state)
    made = _with(stood, lambda v: "live" if v.name == version.name else v.state)
    earlier = tuple(name for name in found.before if name != version.name)
    return replace(made, before=(*earlier, live.name) if live is not None else earlier)


def _rolled_back(found: History, version: Version) -> History:
    if not found.before or found.before[-1] != version.name:
        to = found.before[-1] if found.before else "none"
        raise UsageError(
            f"{found.name!r} cannot be rolled back to {version.name}; the version before is {to}",
            hint="redan registry promote NAME@VERSION",
        )
    stood = _with(found, lambda v: "standby" if v.state == "live" else v.state)
    made = _with(stood, lambda v: "live" if v.name == version.name else v.state)
    return replace(made, before=found.before[:-1])


def _retired(found: History, version: Version) -> History:
    if version.state in ("live", "canary"):
        raise UsageError(f"version {version.name} of {found.name!r} is {version.state}; another must be promoted first")
    gone = _with(found, lambda v: "retired" if v.name == version.name else v.state)
    return replace(gone, before=tuple(name for name in found.before if name != version.name))


def _with(found: History, state: Callable[[Version], State]) -> History:
    return replace(found, versions=tuple(replace(v, state=state(v)) for v in found.versions))
