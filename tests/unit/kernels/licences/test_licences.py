"""Licences: expressions against the well-kept parser, words, texts, restrictions and the allow-list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from redan.kernels.licences.expression import NotExpressionError, allows, identifiers, names, parse
from redan.kernels.licences.judging import judge
from redan.kernels.licences.naming import expression_of
from redan.kernels.licences.restricted import restriction
from redan.kernels.licences.stated import kind_of
from redan.kernels.licences.texts import licence_of_text

PEER = get_spdx_licensing()
NAMES = ("MIT", "Apache-2.0", "BSD-3-Clause", "ISC")
PERMISSIVE = frozenset({"mit", "apache-2.0", "bsd-3-clause"})

_expressions = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.tuples(inner, st.sampled_from(("AND", "OR")), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=6,
)


@given(_expressions, st.frozensets(st.sampled_from(NAMES)))
def test_an_expression_is_allowed_exactly_when_its_truth_table_says_so(text: str, allowed: frozenset[str]) -> None:
    truth = text
    for name in NAMES:
        truth = truth.replace(name, str(name in allowed))
    lower = frozenset(name.lower() for name in allowed)
    assert allows(lower, parse(text)) == eval(truth.replace("AND", "and").replace("OR", "or"))


@given(_expressions)
def test_the_names_are_those_that_the_peer_reads(text: str) -> None:
    assert set(names(parse(text))) == set(PEER.license_keys(text))


@pytest.mark.parametrize(
    "text", ["MIT AND", "(MIT", "MIT)", "MIT Apache-2.0", "AND", "", "Flower-1.0", "MIT WITH Nothing", "(" * 90, "()"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(NotExpressionError):
        parse(text)


def test_the_list_is_that_of_the_peer() -> None:
    known = {name for name in PEER.known_symbols if not name.startswith("LicenseRef-")}
    licences, exceptions = identifiers()
    assert known - {*licences.values(), *exceptions.values()} == set()


@pytest.mark.parametrize(
    ("text", "allowed", "fine"),
    [
        ("GPL-2.0-or-later", {"gpl-2.0-only"}, True),
        ("GPL-2.0+", {"gpl-2.0-or-later"}, True),
        ("GPL-2.0", {"gpl-2.0-only"}, True),
        ("GPL-2.0-only", {"gpl-2.0-or-later"}, False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", {"gpl-2.0-only with classpath-exception-2.0"}, True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", {"mit"}, False),
        ("mit or gpl-3.0-only", {"mit"}, True),
        ("MIT AND GPL-3.0-only", {"mit"}, False),
        ("LicenseRef-Ours", {"licenseref-ours"}, True),
        ("MIT OR Apache-2.0 AND GPL-3.0-only", {"apache-2.0"}, False),
    ],
)
def test_the_rules_of_spdx_hold(text: str, allowed: set[str], fine: bool) -> None:
    assert allows(frozenset(allowed), parse(text)) is fine


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("The MIT License", "MIT"),
        ("MIT license", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("new BSD", "BSD-3-Clause"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("MPL 2.0", "MPL-2.0"),
        ("https://spdx.org/licenses/CC-BY-4.0.html", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
        ("BSD", ""),
        ("BSD License", ""),
        ("GPL", ""),
        ("other", ""),
        ("Proprietary", ""),
        ("", ""),
        ("x" * 5000, ""),
    ],
)
def test_words_stand_for_a_licence_only_where_they_name_it(words: str, expression: str) -> None:
    found = expression_of(words)
    assert (found and str(parse(found))) == (expression and str(parse(expression)))


@pytest.mark.parametrize(
    "word",
    [
        "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "openrail++", "bigscience-bloom-rail-1.0",
        "llama2", "llama3.1", "meta-llama-3", "gemma", "cc-by-nc-4.0", "CC-BY-NC-ND-4.0", "CC-BY-ND-4.0",
        "deepfloyd-if-license",
    ],
)  # fmt: skip
def test_restrictions_of_use_are_recognised(word: str) -> None:
    assert restriction(word)


@pytest.mark.parametrize("word", ["MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-SA-4.0", "trailing", "GPL-3.0-only", ""])
def test_open_licences_restrict_no_use(word: str) -> None:
    assert restriction(word) == ""


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("                 Apache License\n           Version 2.0, January 2004\n", "Apache-2.0"),
        ("MIT License\n\nPermission is hereby granted, free of charge, to any\nperson obtaining a copy", "MIT"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL-3.0-only"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 3, 29\n GNU General Public License version 3", "LGPL-3.0-only"),
        ("Redistribution and use in source and binary forms ... Neither the name of", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
        ("LLAMA 2 COMMUNITY LICENSE AGREEMENT", "llama2"),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT", "llama"),
        ("CreativeML Open RAIL-M\ndated August 22, 2022", "creativeml-openrail-m"),
        ("Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("all rights reserved", ""),
    ],
)  # fmt: skip
def test_texts_are_told_by_their_titles(text: str, licence: str) -> None:
    assert licence_of_text(text) == licence


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("MIT License", "fine"),
        ("MIT License, Apache Software License", "fine"),
        ("MIT License, GPL-3.0-only", "not-allowed"),
        ("BSD", "unknown"),
        ("", "unknown"),
        ("llama3.1", "restricted"),
        ("CC-BY-NC-4.0 OR MIT", "fine"),
        ("CC-BY-NC-4.0 AND MIT", "restricted"),
    ],
)
def test_the_allow_list_decides(text: str, kind: str) -> None:
    assert judge(text, PERMISSIVE).kind == kind


def test_words_can_be_allowed_and_without_a_list_only_restrictions_are_told() -> None:
    assert judge("BSD", frozenset({"bsd"})).kind == "fine"
    assert judge("llama3.1", frozenset({"llama3.1"})).kind == "fine"
    assert [judge(text, frozenset()).kind for text in ("GPL-3.0-only", "", "what", "gemma")] == [
        "fine", "fine", "fine", "restricted"
    ]  # fmt: skip


def test_files_are_told_by_name() -> None:
    assert [kind_of(n) for n in ("README.md", "LICENSE", "LICENCE.txt", "COPYING", "UNLICENSE", "croissant.json")] == [
        "card", "text", "text", "text", "text", "croissant"
    ]  # fmt: skip
    assert [kind_of(n) for n in ("licensing.py", "license.py", "config.json", "readme.txt", "LICENSED.bin", "l")] == [
        "", "", "", "", "", ""
    ]  # fmt: skip
