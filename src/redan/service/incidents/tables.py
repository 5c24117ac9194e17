"""Tables of incidents; rows of incidents, entries and drills are only ever added.

Times are microseconds since 1970, UTC, written once. ``incident_slots`` says which incident is open for a rule and
subject or for a client, ``incident_holds`` which clients are slowed down now and ``incident_due`` which steps somebody
must do; they are derived from entries and only make looking fast. ``incident_outbox`` names entries that the audit log
does not hold yet.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Table, Text

from redan.service.database import metadata

incidents = Table(
    "incidents",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("threat", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("opened_us", BigInteger, nullable=False, index=True),
)

entries = Table(
    "incident_entries",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.number"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("t_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sha256", Text, nullable=False),
)

slots = Table(
    "incident_slots",
    metadata,
    Column("slot", Text, primary_key=True),
    Column("incident", BigInteger, ForeignKey("incidents.number"), nullable=False, index=True),
)

holds = Table(
    "incident_holds",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.number"), primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("client", Text, primary_key=True, index=True),
    Column("rate_per_s", Float, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("automatic", BigInteger, nullable=False),
)

due = Table(
    "incident_due",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.number"), primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("contains", BigInteger, nullable=False),
    Column("after_us", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)

outbox = Table(
    "incident_outbox",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
)

drills = Table(
    "incident_drills",
    metadata,
    Column("id", Text, primary_key=True),
    Column("t_us", BigInteger, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("report", Text, nullable=False),
)
