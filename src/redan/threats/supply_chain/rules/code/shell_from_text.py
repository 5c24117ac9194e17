"""A command line for a shell is formatted from values.

What it means:
    ``os.system`` and ``shell=True`` give a text to a shell; a file name or parameter with ``;`` or ``$( )`` in it
    becomes a command.

Why it matters:
    Names of runs, checkpoints and data sets come from configurations, users and repositories.

How it is found:
    Texts made by formatting or adding, of which a part is no constant, in calls that start a shell. ``shlex.quote``
    and numbers end the suspicion.

What to do:
    ``subprocess.run([program, argument])``.

Bad:
        import os
        def convert(path):
            os.system(f"python convert.py {path}")

Good:
        import subprocess
        def convert(path):
            subprocess.run(["python", "convert.py", path], check=True)

Limits:
    Where the values come from is not judged here; requests and models' answers have rules of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.calls import Argument
from redan.kernels.code.sinks import commands
from redan.kernels.code.values import UNKNOWN, followed

RULE = rule(
    Rule(
        id="RDN-SUP-068",
        name="shell-from-text",
        threat="supply_chain",
        title="A command for a shell is put together from texts",
        severity=Severity.MEDIUM,
        remedy="Pass a list of arguments without a shell, or quote with shlex.quote.",
        references=(
            "cwe:78",
            "atlas:AML.T0053",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

QUOTING = frozenset({"shlex.quote", "shlex.join", "pipes.quote", "builtins.int", "builtins.len", "builtins.float"})


def check(module: Module) -> Iterator[Match]:
    """Yield the commands that are put together; what requests, models and downloads decide has rules of its own."""
    for call, argument in commands(module):
        parts = list(_parts(argument))
        if not module.taint(argument) and any(not _harmless(module, part) for part in parts):
            yield Match(
                line=call.line, says=f"{call.names[0]} gets a command that is put together", confidence="likely"
            )


def _parts(argument: Argument) -> Iterator[Argument]:
    """Yield what is put into a text."""
    node, scope = followed(argument.node, argument.scope)
    if isinstance(node, ast.JoinedStr):
        yield from (Argument(value.value, scope) for value in node.values if isinstance(value, ast.FormattedValue))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        right = node.right
        yield from (Argument(each, scope) for each in (right.elts if isinstance(right, ast.Tuple) else [right]))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        stack: list[ast.expr] = [node]
        while stack:
            each = stack.pop()
            if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add):
                stack += [each.left, each.right]
            else:
                yield Argument(each, scope)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        inserted = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from (Argument(each, scope) for each in inserted if isinstance(node.func.value, ast.Constant))


def _harmless(module: Module, part: Argument) -> bool:
    if part.value is not UNKNOWN:
        return True
    node, scope = followed(part.node, part.scope)
    if isinstance(node, ast.Call):
        return bool(QUOTING & set(module.resolved(node.func, scope)))
    return any(name in ("sys.executable", "os.sep") for name in module.names(part))
