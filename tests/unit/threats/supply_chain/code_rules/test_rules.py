"""Every code rule on snippets that it must speak about and snippets that it must not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from textwrap import dedent

import pytest

from redan.core import catalogue
from redan.kernels.code import Match, from_python, read_folder
from redan.threats.supply_chain.rules import code

CASES = Path(__file__).parent / "cases"
RULES = {rule.name: (rule, check) for rule, check in code.rules()}


def page_example(name: str, heading: str) -> str:
    """Return the snippet of a rule's page under that heading."""
    doc = inspect.cleandoc(catalogue.entry("rule", name).doc)
    return dedent(re.search(rf"^{heading}:\n((?:[ ].*\n|\n)+)", doc, re.MULTILINE)[1])


def snippets(name: str, kind: str) -> list[str]:
    """Return a rule's snippets of one kind, that of its page first."""
    parts = re.split(r"^### (bad|good)\n", (CASES / f"{name}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    own = [text for label, text in zip(parts[1::2], parts[2::2], strict=True) if label == kind]
    return [page_example(name, kind.capitalize()), *own]


def matches(name: str, text: str) -> list[Match]:
    (module,) = read_folder([from_python(text, "snippet.py")]).modules
    return list(RULES[name][1](module))


def cases(kind: str) -> list:
    return [pytest.param(n, s, id=f"{n}-{i}") for n in RULES for i, s in enumerate(snippets(n, kind))]


@pytest.mark.parametrize(("name", "text"), cases("bad"))
def test_what_is_bad_is_found(name: str, text: str) -> None:
    found = matches(name, text)
    assert found
    assert all(1 <= match.line <= text.count("\n") + 1 and match.says for match in found)
    assert len({(m.line, m.says) for m in found}) == len(found)


@pytest.mark.parametrize(("name", "text"), cases("good"))
def test_what_is_good_is_left_alone(name: str, text: str) -> None:
    assert matches(name, text) == []


@pytest.mark.parametrize("name", RULES)
def test_each_rule_has_at_least_three_snippets_of_each_kind(name: str) -> None:
    assert len(snippets(name, "bad")) >= 3
    assert len(snippets(name, "good")) >= 3


@pytest.mark.parametrize("name", RULES)
def test_each_rule_names_a_weakness_and_a_technique_that_are_known(name: str) -> None:
    references = RULES[name][0].references
    assert any(reference.startswith("cwe:") for reference in references)


def test_there_are_enough_rules_with_identifiers_of_their_own() -> None:
    ids = [rule.id for rule, _ in RULES.values()]
    assert len(ids) == len(set(ids)) >= 28
    assert all("RDN-SUP-041" <= each <= "RDN-SUP-079" for each in ids)
