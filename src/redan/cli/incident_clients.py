"""`redan incident held`, `throttle` and `let-go`: clients held back by the word of a person, with no incident."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from redan.cli.identity_desk import seconds, shown
from redan.cli.incident_desk import FORMAT, at_bureau
from redan.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from redan.cli.incident_desk import Bureau

CLIENT = click.argument("client")


@click.command("held")
@FORMAT
@at_bureau
def held(bureau: Bureau, form: str) -> int:
    """List the clients that are held back, by incidents or by people; exit code 1 when there are some."""
    from redan.service.guards.held import listed
    from redan.service.guards.keeping import slowed

    now_s = time.time()
    with bureau.database.reading() as connection:
        slow = {client: each for client, each in slowed(connection).items() if each[1] > now_s}
        found = listed(connection, slow)
    if form == "json":
        sys.stdout.write(json.dumps([asdict(each) for each in found], indent=1) + "\n")
        return int(bool(found))
    for each in found:
        how = f"{each.rate_per_s:g} rows a second" if each.rate_per_s else "suspended"
        by = ", ".join(f"incident {number}" for number in each.incidents) or "a person"
        sys.stdout.write(f"{visible(each.client)}  {how}  until {shown(each.until_us)}  {by}\n")
    if not found:
        sys.stderr.write("nobody is held back\n")
    return int(bool(found))


@click.command("throttle")
@CLIENT
@click.option(
    "--rate", type=click.FloatRange(0, 1e6), default=0.1, show_default=True, help="Rows a second left; 0 suspends."
)
@click.option("--for", "lasting", default="24h", show_default=True, help="How long: 30m, 24h, 7d.")
@at_bureau
def throttle(bureau: Bureau, client: str, rate: float, lasting: str) -> int:
    """Leave CLIENT (client:NAME or user:NAME) so many rows a second; a running gateway does it within a second.

    \b
    redan incident throttle client:shop --rate 0 --for 2h
    """
    from redan.service.guards import keeping
    from redan.service.guards.held import require_slowable

    until_s = time.time() + seconds(lasting, "--for")
    with _changing(bureau, "throttled" if rate else "suspended", client=client, rate_per_s=rate) as connection:
        require_slowable(connection, client, rate, until_s)
        keeping.slow(connection, client, rate, until_s)
    sys.stderr.write(f"held back until {shown(int(until_s * 1e6))}\n")
    return 0


@click.command("let-go")
@CLIENT
@at_bureau
def let_go(bureau: Bureau, client: str) -> int:
    """Let CLIENT go that no incident holds; what an incident holds is let go by undoing its step."""
    from redan.service.guards import keeping
    from redan.service.guards.held import require_free

    with _changing(bureau, "released", client=client) as connection:
        require_free(connection, client)
        keeping.slow(connection, client, None, 0.0)
    return 0


@contextmanager
def _changing(bureau: Bureau, did: str, **facts: object) -> Iterator[Connection]:
    """A transaction that is recorded in the audit log before it is kept; without a record nothing is done."""
    from redan.service.audit.act import Act
    from redan.service.audit.recorder import record_once

    with bureau.database.writing() as connection:
        yield connection
        act = Act(t_us=time.time_ns() // 1000, who=bureau.who.id, act="clients.throttle", more={"did": did, **facts})
        record_once(bureau.config.settings, bureau.config.root, act)
