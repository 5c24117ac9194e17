"""How long files and functions may be, and how often a function may branch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "redan"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_BRANCHES = 400, 60, 10

Function = ast.FunctionDef | ast.AsyncFunctionDef
BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.match_case, ast.AsyncFor)


def branches(node: ast.AST) -> int:
    """Count branching statements of a function without those of functions inside it."""
    own = [child for child in ast.iter_child_nodes(node) if not isinstance(child, Function)]
    return sum(isinstance(child, BRANCHES) + branches(child) for child in own)


def faults(text: str) -> list[str]:
    """Say what is too long or too branched in a module."""
    lines = len(text.splitlines())
    found = [f"{lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(f"{node.name} at line {node.lineno} has {length} lines")
            if branches(node) > MOST_BRANCHES:
                found.append(f"{node.name} at line {node.lineno} has {branches(node)} branches")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_source_stays_small(file: Path) -> None:
    assert faults(file.read_text(encoding="utf-8")) == []


def test_the_ruler_itself_measures() -> None:
    long = "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION
    branched = "def g(x):\n" + "    if x: pass\n" * (MOST_BRANCHES + 1)
    nested = "def h(x):\n" + "    if x: pass\n" * MOST_BRANCHES + "    def i():\n        if x: pass\n"
    assert faults(long) == [f"f at line 1 has {LONGEST_FUNCTION + 1} lines"]
    assert faults(branched) == [f"g at line 1 has {MOST_BRANCHES + 1} branches"]
    assert faults(nested) == []
    assert faults("\n" * (LONGEST_FILE + 1)) == [f"{LONGEST_FILE + 1} lines"]
