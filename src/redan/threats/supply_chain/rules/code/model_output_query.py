"""A model's answer becomes the text of a query.

What it means:
    A language model writes the SQL that is run, or a part of it.

Why it matters:
    Whoever can put text into the prompt can read, change or drop whatever the account may.

How it is found:
    Answers are followed to ``execute``, ``read_sql`` and ``sqlalchemy.text``, to their text and not to their
    parameters.

What to do:
    Give the answer as a parameter of a query that you wrote. Where the model must write SQL, use an account that
    can only read the tables in question, with limits.

Bad:
        import sqlite3
        from openai import OpenAI
        sql = OpenAI().responses.create(model="m", input="x").output_text
        sqlite3.connect("x.db").execute(sql)

Good:
        import sqlite3
        from openai import OpenAI
        name = OpenAI().responses.create(model="m", input="x").output_text
        sqlite3.connect("x.db").execute("select * from t where name = ?", (name,))

Limits:
    Read-only accounts are not seen, so confidence is ``likely``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import queries

RULE = rule(
    Rule(
        id="RDN-SUP-053",
        name="model-output-query",
        threat="supply_chain",
        title="What a language model answers is run as a database query",
        severity=Severity.HIGH,
        remedy="Let the model fill parameters of queries that you wrote; use a read-only account.",
        references=(
            "cwe:89",
            "atlas:AML.T0051",
            "atlas:AML.T0053",
            "owasp:LLM05",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the queries that a model writes."""
    for call, argument in queries(module):
        origin = module.taint(argument).get("model")
        if origin:
            yield Match(line=call.line, says=f"a query is written by {origin}", confidence="likely")
