"""One version of one model: brought in, judged again, and what is kept of it while it is out of service."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from redan.core.errors import EvidenceError, RedanError, SignatureRefused
from redan.evidence.statements.policy import AdmissionPolicy, policy_of
from redan.service.guards.detectors import open_detectors
from redan.service.models.admitting import About, decide, why_not
from redan.service.models.holding import Held, facts_at
from redan.service.models.loading import extras_of, load, refusal
from redan.service.models.looking import Mark, mark_of
from redan.service.models.source import Vacant
from redan.service.web.telling import Telling

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.statements.decision import Decision
    from redan.service.models.served import Served
    from redan.service.models.source import Source

Mode = Literal["required", "open"]
_telling = Telling()


@dataclass(slots=True, kw_only=True, eq=False)
class Version:
    """A version of the configuration, loaded or not; only the pool's lock holder changes it.

    Attributes:
        source: where it comes from.
        served: loaded; None until it was once. It stays the same object while the same bytes are loaded, since guards
            and batches are kept by it.
        decision: the newest about it; None in a laboratory.
        about: what is judged again; None until it was read once.
        why: why it may not answer; empty while it may.
        newer: why what now lies at its target was not loaded in place of what is; empty when it is the same.
        vacant: whether its target means no version now, which is no fault.
        beside: what the file system said of its schema, sample rows and detectors before they were read.
        unheard: whether the registry did not answer when it was judged last, so that it is asked again before long.
    """

    source: Source
    served: Served | None = None
    decision: Decision | None = None
    about: About | None = None
    why: str = "not loaded yet"
    newer: str = ""
    vacant: bool = False
    beside: Mark = ()
    unheard: bool = False

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.source.settings.name}@{self.source.settings.version}"

    @property
    def digest(self) -> str:
        """Of what is loaded, or was read and refused; empty before."""
        return "" if self.about is None else self.about.held.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What decides: the policy with its keys as they are now.

    Attributes:
        mode: ``open`` admits whatever is safe to load.
        policy: None in that mode.
        keeps_bytes: whether the bytes of what is loaded are kept, for other processes that load them too.
    """

    mode: Mode
    policy: AdmissionPolicy | None
    keeps_bytes: bool = False

    @classmethod
    def of(cls, settings: Settings, root: Path) -> Judge:
        """Read the keys that ``[admission]`` names.

        Raises:
            RedanError: one cannot be read.
        """
        keeps_bytes = settings.serve.workers > 0
        if settings.serve.admission == "open":
            return cls(mode="open", policy=None, keeps_bytes=keeps_bytes)
        return cls(mode="required", policy=policy_of(settings.admission, root), keeps_bytes=keeps_bytes)

    def decision(self, source: Source, about: About) -> Decision | None:
        """Judge a model by its statements as they are now; None in a laboratory.

        Raises:
            RedanError: the statements cannot be read.
        """
        if self.policy is None:
            return None
        bundles = source.bundles(about.held)
        return decide(about, source, bundles, self.policy, at=datetime.now(UTC))


def bring_in(version: Version, judge: Judge) -> None:
    """Read a version once, judge it and load it; blocks. What goes wrong stands in ``why``, or in ``newer``.

    A version that is loaded already stays as it is when what lies at its target is refused, and is judged by itself;
    it goes when the registry says that no version has its place any more.
    """
    version.vacant = version.unheard = False
    beside = _beside(version)
    try:
        held = version.source.hold()
        about = About(held=held)
        if version.served is not None and held.digest == version.served.digest and beside == version.beside:
            version.newer = ""
            judge_again(version, judge)
            return
        decision = judge.decision(version.source, about)
        if decision is not None and (why := why_not(decision)):
            if version.served is None:
                version.decision = decision
            _refused(version, judge, about, why)
            return
        extras = extras_of(version.source.settings, version.source.root)
        served = load(version.source.settings, held, extras, decision)
        # a detector that cannot stand in front of it would fail every request
        open_detectors(served, version.source.root)
    except Vacant as err:
        version.served = version.about = version.decision = None
        version.why, version.newer, version.vacant = refusal(err), "", True
        return
    except RedanError as err:
        _refused(version, judge, None, refusal(err))
        version.unheard = version.unheard or _is_silence(version, err)
        return
    except Exception:  # noqa: BLE001  # a mistake of ours in one version must neither admit it nor keep others from being judged
        _refused(version, judge, None, _broken(version))
        return
    version.served, version.decision, version.why, version.newer = served, decision, "", ""
    version.beside = beside
    version.about = about if judge.keeps_bytes else _without_bytes(about)


def judge_again(version: Version, judge: Judge) -> None:
    """Judge what is loaded by its statements as they are now; blocks, and reads no byte of the model."""
    if version.about is None or version.served is None:
        return
    version.unheard = False
    try:
        version.decision = judge.decision(version.source, version.about)
    except RedanError as err:
        version.why = refusal(err)
        version.unheard = _is_silence(version, err)
        return
    except Exception:  # noqa: BLE001  # as above
        version.why = _broken(version)
        return
    version.why = "" if version.decision is None else why_not(version.decision)


def is_as_read(version: Version) -> bool:
    """Tell whether the files of a loaded version, and those beside it, are certainly those that were read."""
    if version.about is None or version.served is None or not version.about.held.facts:
        return False
    if _beside(version) != version.beside:
        return False
    try:
        return facts_at(version.source.path) == version.about.held.facts
    except RedanError:
        return False


def changed_or_judged(version: Version, judge: Judge) -> None:
    """Bring a version in whose files changed since they were read; judge any other again."""
    (judge_again if is_as_read(version) else bring_in)(version, judge)


def moved_or_judged(version: Version, judge: Judge) -> None:
    """Bring a version in that the registry decides about; judge any other again."""
    (bring_in if version.source.moves else judge_again)(version, judge)


def missing_or_judged(version: Version, judge: Judge) -> None:
    """Bring a version in that is not loaded, or was not heard of; judge any other again."""
    (bring_in if version.served is None or version.unheard else judge_again)(version, judge)


def _refused(version: Version, judge: Judge, about: About | None, why: str) -> None:
    if version.served is None:
        version.about = None if about is None else _without_bytes(about)
        version.why = why
        return
    version.newer = why
    judge_again(version, judge)


def _beside(version: Version) -> Mark:
    settings, root = version.source.settings, version.source.root
    return mark_of(root / name for name in (settings.schema, settings.sample, *settings.detectors) if name)


def _is_silence(version: Version, err: RedanError) -> bool:
    """Tell whether the registry did not answer, rather than answer something that speaks against a version."""
    return version.source.is_registered and isinstance(err, EvidenceError) and not isinstance(err, SignatureRefused)


def _broken(version: Version) -> str:
    """Return why something that nobody thought of leaves a version out, and show the rest on standard error."""
    _telling.tell(traceback.format_exc())
    return f"{version.label} could not be judged or loaded – the server's log says what went wrong"


def _without_bytes(about: About) -> About:
    held: Held = replace(about.held, files={})
    return About(held=held, digests=about.digests)
