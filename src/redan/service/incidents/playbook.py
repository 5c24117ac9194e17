"""Playbooks: what is done about which findings, read from TOML and judged before anything of it is done."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from redan.core.codec import convert, decode
from redan.core.errors import ConfigError, UnknownName, Unreadable, nearest
from redan.core.finding import Severity
from redan.core.record import dataclass
from redan.core.settings import age_s
from redan.service.identity.principal import EVERY_MODEL
from redan.service.incidents.incident import CONTAINING

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.incidents.incident import Found, Incident

Do = Literal["throttle", "suspend", "quarantine", "rollback", "revoke", "notify", "collect", "observe", "close"]
LARGEST_BYTES = 64 << 10
MOST_STEPS = 32
UNDOABLE = frozenset({"throttle", "suspend", "quarantine", "rollback"})
TO_CLIENTS = frozenset({"throttle", "suspend", "revoke"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_OWN = {"throttle": {"rate_per_s", "lasting"}, "suspend": {"lasting"}, "observe": {"lasting"}, "notify": {"text"}}
_MODEL = frozenset({"quarantine", "rollback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which findings a playbook is for: a rule or a threat that is named, at or above a severity.

    Attributes:
        rules: identifiers of rules.
        threats: identifiers of threats.
        severity: the lowest.
    """

    rules: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()
    severity: Severity = Severity.HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes:
        name: what people call it; unique in its playbook.
        do: what is done.
        mode: automatic where the playbook runs by itself, manual waits for a person's order.
        approval: how many persons must agree, with a fresh second factor each; who orders it is one of them.
        rate_per_s: throttle: rows a second that are left.
        lasting: throttle, suspend: for how long; observe: how long nothing new may be found.
        text: notify: what is said.
        model: quarantine, rollback: which model; empty: the one that findings speak of; ``*``, for a quarantine that a
            person orders: every model that the replica serves.
    """

    name: str
    do: Do
    mode: Literal["automatic", "manual"] = "manual"
    approval: Literal["none", "one", "two"] = "none"
    rate_per_s: float = 0.1
    lasting: str = "24h"
    text: str = ""
    model: str = ""

    @property
    def contains(self) -> bool:
        """Whether it stops somebody or something."""
        return self.do in CONTAINING

    @property
    def persons(self) -> int:
        """How many persons must agree."""
        return {"none": 0, "one": 1, "two": 2}[self.approval]

    @property
    def lasting_s(self) -> int:
        """How long, in seconds."""
        return age_s(self.lasting) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """Steps in order, and when they are for.

    Attributes:
        name: what people and ``[incidents] automatic`` call it.
        title: what it is, for people.
        when: which findings it is for.
        steps: in order.
    """

    name: str
    title: str
    when: When
    steps: tuple[Step, ...]

    def fitting(self, incident: Incident, *, own: bool = False) -> tuple[Found, ...]:
        """Return the findings of an incident that it is for; ``own``: of those that the gateway's monitors made."""
        when = self.when
        return tuple(
            found
            for found in incident.findings
            if (found.rule in when.rules or found.threat in when.threats)
            and found.severity >= when.severity
            and (found.own or not own)
        )

    def targets(self, incident: Incident, step: Step, *, own: bool = False) -> tuple[str, ...]:
        """Return the clients or the model that a step is done to: those of findings that the playbook is for.

        Where none fits, and a person chose the playbook all the same, those of every finding. What is done without a
        person's word is done to those alone whom the gateway's own monitors name (``own``): whoever may write a finding
        down may not stop somebody by it.
        """
        findings = self.fitting(incident, own=own) or (() if own else incident.findings)
        if step.do in TO_CLIENTS:
            return tuple(dict.fromkeys(found.client for found in findings if found.client))
        return (step.model or findings[-1].subject,) if step.contains and findings else ()

    def step(self, name: str) -> Step:
        """Return a step by its name.

        Raises:
            UnknownName: there is none.
        """
        found = next((step for step in self.steps if step.name == name), None)
        if found is None:
            raise UnknownName.among(f"step in the playbook {self.name}", name, [step.name for step in self.steps])
        return found


def parse(text: str, name: str) -> Playbook:
    """Read a playbook.

    Args:
        text: TOML.
        name: of the file, for messages.

    Raises:
        ConfigError: it is none; the message names the step, or the one before it.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        raise ConfigError(f"{name}: {_near_line(text, str(err))}{err}", hint="see docs/incidents.md") from err
    for key in data:
        if key not in ("name", "title", "when", "steps"):
            near = nearest(key, ["name", "title", "when", "steps"])
            raise ConfigError(f"{name}: unknown key {key!r}", hint=f"did you mean {near!r}?" if near else "see docs")
    rows = data.get("steps")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_STEPS:
        raise ConfigError(f"{name} has no list of 1 to {MOST_STEPS} steps", hint="write [[steps]] for each")
    steps: list[Step] = []
    for row in rows:
        steps.append(_step(row, _where(name, row, steps)))
        if [step.name for step in steps].count(steps[-1].name) > 1:
            raise ConfigError(f"{name}: two steps are named {steps[-1].name!r}", hint="give one another name")
    when = decode(When, data.get("when", {}), f"{name}: when")
    if not when.rules and not when.threats:
        raise ConfigError(f"{name}: when names no rule and no threat", hint='write threats = ["theft"]')
    title = convert(str, data.get("title", ""), f"{name}: title")
    return Playbook(name=_named(data.get("name"), f"{name}: name"), title=title, when=when, steps=tuple(steps))


def _near_line(text: str, said: str) -> str:
    """Say after which step a mistake of syntax stands."""
    line = re.search(r"line (\d+)", said)
    before = text.splitlines()[: int(line[1])] if line else []
    names = [found[1] for found in (re.match(r'\s*name\s*=\s*"([^"]*)"', words) for words in before) if found]
    heads = sum(words.strip() == "[[steps]]" for words in before)
    return f"near step {heads} ({names[-1]!r}): " if heads and names else ""


def _where(file: str, row: Any, before: Sequence[Step]) -> str:
    name = row.get("name") if isinstance(row, dict) else None
    after = f", after {before[-1].name!r}" if before else ""
    return f"{file}: step {len(before) + 1} ({name!r}{after})"


def _step(row: Any, where: str) -> Step:
    if isinstance(row, dict) and isinstance(row.get("do"), str) and row["do"] not in _actions():
        near = nearest(row["do"], list(_actions()))
        known = ", ".join(_actions())
        raise ConfigError(
            f"{where}: nothing does {row['do']!r}", hint=f"did you mean {near!r}?" if near else f"known: {known}"
        )
    step = decode(Step, row, where)
    _named(step.name, f"{where}: name")
    for problem in _problems(step, set(row)):
        raise ConfigError(f"{where}: {problem}", hint="see docs/incidents.md")
    return step


def _problems(step: Step, given: set[str]) -> list[str]:
    own = _OWN.get(step.do, set()) | ({"model"} if step.do in _MODEL else set())
    found = [f"{step.do} takes no {key}" for key in sorted(given - {"name", "do", "mode", "approval"} - own)]
    if step.do == "throttle" and not 0 < step.rate_per_s <= 1e6:
        found.append("a throttle leaves more than 0 and at most 1000000 rows a second; suspend leaves none")
    if step.model == EVERY_MODEL and (step.do != "quarantine" or step.mode == "automatic"):
        found.append('model = "*" takes every model out of service: for a quarantine alone, and a person orders it')
    if step.do == "close" and step.mode == "automatic":
        found.append("a person closes an incident, with a post-mortem: close is manual")
    if len(step.text) > 2000:
        found.append("a text has at most 2000 characters")
    try:
        if not step.lasting_s:
            found.append("it lasts no time")
    except ConfigError as err:
        found.append(f"lasting: {err.message}")
    return found


@cache
def _actions() -> tuple[str, ...]:
    from typing import get_args

    return get_args(Do)


def _named(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigError(f"{where} is {value!r}; expected small letters, digits and dashes")
    return value


def read(path: Path) -> Playbook:
    """Read a playbook from a file.

    Raises:
        Unreadable: missing or too large.
        ConfigError: it is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as err:
        raise Unreadable(f"cannot read the playbook {str(path)!r}: {err}") from err
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"the playbook {str(path)!r} is larger than {LARGEST_BYTES} bytes")
    return parse(text, path.name)


@cache
def built_in() -> tuple[Playbook, ...]:
    """Return the playbooks that come with Redan, by name."""
    folder = resources.files("redan.service.incidents") / "playbooks"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(parse(file.read_text(encoding="utf-8"), file.name) for file in files)


def opened(settings: Settings, root: Path) -> dict[str, Playbook]:
    """Return every playbook in force by name; one of the owner's takes the place of a built-in one of that name.

    Raises:
        ConfigError: one is wrong, two of the owner's have one name, or ``automatic`` names none.
        Unreadable: a file cannot be read.
    """
    found = {playbook.name: playbook for playbook in built_in()}
    own: set[str] = set()
    for name in settings.incidents.playbooks:
        playbook = read(root / name)
        if playbook.name in own:
            raise ConfigError(f"two playbooks are named {playbook.name!r}", hint="[incidents] playbooks")
        own.add(playbook.name)
        found[playbook.name] = playbook
    for name in settings.incidents.automatic:
        if name not in found:
            error = UnknownName.among("playbook", name, list(found))
            raise ConfigError(f"[incidents] automatic: {error.message}", hint=error.hint)
    return found


FIELDS = tuple(f.name for f in fields(Step))
"""Names that a step may have."""
