"""Every action that somebody may be allowed: the whole vocabulary of authorisation. What is not here nobody may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that needs permission.

    Attributes:
        name: as roles, routes and the audit log write it.
        title: what it is, for people.
        per_model: whether permission can be given for one model alone.
        dangerous: whether a fresh second factor is needed (step-up).
    """

    name: str
    title: str
    per_model: bool = False
    dangerous: bool = False


_ALL = (
    Action(name="predict", title="ask a model", per_model=True),
    Action(name="explain", title="ask why a model answered so", per_model=True),
    Action(name="feedback", title="tell which answer was right", per_model=True),
    Action(name="models.read", title="see models, their statements and versions", per_model=True),
    Action(name="models.reload", title="load versions and judge their statements again", per_model=True),
    Action(name="models.promote", title="make a version answer", per_model=True, dangerous=True),
    Action(name="models.rollback", title="go back to the version before", per_model=True, dangerous=True),
    Action(name="models.quarantine", title="take a model out of service", per_model=True, dangerous=True),
    Action(name="metrics.read", title="read metrics"),
    Action(name="monitors.read", title="see live traffic and what monitors say", per_model=True),
    Action(name="reports.read", title="read reports"),
    Action(name="audit.read", title="search the audit log"),
    Action(name="audit.export", title="take audit records away", dangerous=True),
    Action(name="identity.self", title="manage one's own factors, keys and sessions"),
    Action(name="identity.read", title="see who may do what"),
    Action(name="identity.write", title="change who may do what, make and revoke keys", dangerous=True),
    Action(name="incidents.read", title="see incidents"),
    Action(name="incidents.act", title="write into an incident, run harmless steps"),
    Action(name="incidents.contain", title="throttle, suspend, quarantine, roll back", dangerous=True),
    Action(name="clients.throttle", title="slow a client down or let it go", dangerous=True),
    Action(name="registry.read", title="list and pull models"),
    Action(name="registry.push", title="push models"),
    Action(name="registry.promote", title="promote, roll back, delete in the registry", dangerous=True),
    Action(name="config.read", title="see the configuration in force, without secrets"),
)
ACTIONS: dict[str, Action] = {action.name: action for action in _ALL}
