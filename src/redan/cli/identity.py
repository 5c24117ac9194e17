"""`redan identity`: who may do what."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from redan.cli.columns import print_columns
from redan.cli.identity_credentials import key, token
from redan.cli.identity_desk import at_desk, configured, opened, shown
from redan.cli.identity_people import FORMAT, client, full, told, user

if TYPE_CHECKING:
    from redan.cli.identity_desk import Desk
    from redan.core.config import Config
    from redan.service.identity.review import Line

MODEL = click.option("--model", default="*", show_default=True, help="For this model alone.")


@click.group("identity")
def command() -> None:
    """Say who may do what at the gateway: people, programs, roles, keys, tokens, reviews.

    Works on the service's database directly, whether or not a server runs; servers notice within a second. Every
    change goes into the audit log.

    \b
    redan identity init --admin ann
    redan identity client add shop --role client --model fraud
    redan identity key new client:shop
    redan identity review
    """


for _group in (user, client, key, token):
    command.add_command(_group)


@command.command("init")
@click.option("--admin", default="admin", show_default=True, metavar="NAME", help="The first administrator.")
@configured
def init(config: Config, admin: str) -> int:
    """Make the database, the key that signs tokens, and the first administrator."""
    from redan.core.errors import UsageError
    from redan.service.identity import directory, token_keys
    from redan.service.identity.roles import ADMINISTRATOR

    id = full("user", admin)
    with opened(config, create=True) as desk:
        with desk.database.reading() as connection:
            known = directory.administrators(connection, desk.roles)
        if known:
            raise UsageError(
                f"there is an administrator already: {known[0]}", hint="redan identity user add NAME --role ROLE"
            )
        ring = token_keys.open_ring(desk.token_key, desk.database)
        with desk.changing("initialised", subject=id, role=ADMINISTRATOR) as connection:
            if directory.find(connection, id) is None:
                directory.add(connection, id, by=desk.by)
            directory.grant(connection, desk.roles, id, ADMINISTRATOR, by=desk.by)
        place = desk.database.shown
    sys.stderr.write(
        f"made identities in {place}; tokens are signed by key {ring.signing.kid}\n"
        f"next: redan identity user password {admin}\n"
        "      redan identity client add NAME --role client --key\n"
    )
    sys.stdout.write(f"{id}\n")
    return 0


@command.group("role")
def role() -> None:
    """Say which roles there are."""


@role.command("list")
@FORMAT
@at_desk
def roles(desk: Desk, form: str) -> int:
    """List every role and the actions that it allows."""
    found = desk.roles.by_name.values()
    if form == "json":
        rows = [{"name": one.name, "title": one.title, "actions": sorted(one.actions)} for one in found]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return 0
    for one in found:
        own = "" if one.built_in else " (redan.toml)"
        sys.stdout.write(f"{one.name}{own}: {one.title}\n")
        sys.stdout.write(click.wrap_text(" ".join(sorted(one.actions)), 76, "  ", "  ") + "\n")
    return 0


@command.command("grant")
@click.argument("subject")
@click.argument("name", metavar="ROLE")
@MODEL
@at_desk
def grant(desk: Desk, subject: str, name: str, model: str) -> int:
    """Give SUBJECT (user:NAME or client:NAME) a role."""
    from redan.service.identity import directory

    with desk.changing("role given", subject=subject, role=name, model=model) as connection:
        told(directory.grant(connection, desk.roles, subject, name, model, by=desk.by))
    return 0


@command.command("revoke")
@click.argument("subject")
@click.argument("name", metavar="ROLE")
@MODEL
@at_desk
def revoke(desk: Desk, subject: str, name: str, model: str) -> int:
    """Take a role away from SUBJECT."""
    from redan.service.identity import directory

    with desk.changing("role taken", subject=subject, role=name, model=model) as connection:
        directory.revoke(connection, desk.roles, subject, name, model)
    return 0


@command.command("review")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--open", "only_open", is_flag=True, help="Only where somebody must decide.")
@at_desk
def review(desk: Desk, form: str, only_open: bool) -> int:
    """Say who has what, through which role, what of it is used, and what is remarkable.

    Exit code 0 when nobody must decide anything, 1 when somebody must: `redan identity decide`.
    """
    from redan.service.identity.review import review as reviewed

    with desk.database.reading() as connection:
        lines = reviewed(connection, desk.config.settings, desk.roles)
    waiting = sum(line.open for line in lines)
    _print([line for line in lines if line.open or not only_open], form)
    sys.stderr.write(f"{len(lines)} roles in {len({line.subject for line in lines})} hands; to decide: {waiting}\n")
    return 1 if waiting else 0


@command.command("decide")
@click.argument("subject")
@click.argument("name", metavar="ROLE")
@click.argument("decision", type=click.Choice(["keep", "revoke"]))
@MODEL
@click.option("--note", default="", help="Why, for the record.")
@at_desk
def decide(desk: Desk, subject: str, name: str, decision: Any, model: str, note: str) -> int:
    """Record what a reviewer decided about a role in a hand; revoke takes it away."""
    from redan.service.identity.review import decide as decided

    facts = {"subject": subject, "role": name, "model": model, "decision": decision, "note": note}
    with desk.changing("access reviewed", **facts) as connection:
        decided(
            connection, desk.roles, subject=subject, role=name, model=model, decision=decision, by=desk.by, note=note
        )
    return 0


def _print(lines: list[Line], form: str) -> None:
    from redan.reports.visible import visible

    if form == "table":
        rows = [
            {
                "who": line.subject,
                "role": line.role or None,
                "model": line.model or None,
                "used": (shown(line.used_us) or "never")[:10],
                "keys": line.live_keys,
                "decided": line.decision or None,
            }
            for line in lines
        ]
        print_columns(rows, form, nothing="nothing to show")
        marked = ((line.subject, remark) for line in lines for remark in line.remarks)
        for subject, remark in sorted(dict.fromkeys(marked), key=lambda both: not both[1].open):
            sign = "!" if remark.open else "-"
            sys.stdout.write(f"{sign} {visible(subject)}: {visible(remark.text)} ({remark.code})\n")
        return
    facts = [_facts(line) for line in lines]
    if form == "json":
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return
    writer = csv.DictWriter(sys.stdout, list(_FIELDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in facts)


_FIELDS = (
    "subject", "title", "role", "model", "actions", "since", "by", "used", "live_keys", "remarks", "decision", "open",
)  # fmt: skip


def _facts(line: Line) -> dict[str, Any]:
    values = {
        "since": shown(line.since_us),
        "used": shown(line.used_us),
        "actions": list(line.actions),
        "remarks": [{"code": r.code, "text": r.text, "open": r.open} for r in line.remarks],
    }
    return {name: values[name] if name in values else getattr(line, name) for name in _FIELDS}


def _cell(value: Any) -> str:
    if isinstance(value, list):
        value = "; ".join(item["code"] if isinstance(item, dict) else item for item in value)
    text = "" if value is None else str(value)
    # what a spreadsheet would take for a formula is shown as text (OWASP: CSV injection)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
