"""Where a project lets somebody else choose its code."""

from __future__ import annotations

import json

import pytest

from redan.kernels.packages.judging import fits, leaves, weak_points
from redan.kernels.packages.reading import parse_manifest

SHA = "a" * 64


def found(**files: str) -> list[tuple[str, str]]:
    """Kinds and names of the weak points of some files, given as name=text with __ for the dot."""
    kinds = {"uv.lock": "uv-lock", "pyproject.toml": "pyproject", "Dockerfile": "dockerfile", "nb.ipynb": "notebook"}
    named = {name.replace("__", "."): text for name, text in files.items()}
    read = [parse_manifest(t.encode(), n, kinds.get(n, "requirements")) for n, t in named.items()]
    return [(w.kind, w.name) for w in weak_points(read)]


def test_a_bound_a_pin_and_a_constraint_end_an_open_bound() -> None:
    text = "a\nb>=1\nc!=2\nd==1\ne>=1,<2\nf~=1.2\ng\n"
    assert found(requirements__txt=text) == [("unbounded", n) for n in "abcg"]
    assert found(requirements__txt=text, constraints__txt="a==1\nb<3\nc==1\n") == [("unbounded", "g")]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("x @ https://host/x.zip", "address-without-hash"),
        ("git+https://host/x.git@main#egg=x", "moving-revision"),
        ("git+https://host/x.git#egg=x", "moving-revision"),
        ("-e ../x", "outside-project"),
        ("/srv/x", "outside-project"),
    ],
)
def test_an_address_that_can_change_is_named(line: str, kind: str) -> None:
    assert found(requirements__txt=line) == [(kind, "x")]


@pytest.mark.parametrize(
    "line",
    [
        f"x @ https://host/x.zip#sha256={SHA}",
        f"x @ https://host/x.zip --hash=sha256:{SHA}",
        f"git+https://host/x.git@{'0' * 40}#egg=x",
        "-e .",
        "./libs/x",
    ],
)
def test_what_is_exact_or_inside_is_left_alone(line: str) -> None:
    assert found(requirements__txt=line) == []


def test_further_indexes_and_unchecked_certificates_are_named() -> None:
    text = "--extra-index-url https://mine/simple\n--trusted-host mine\n-i http://mine/simple\na==1\n"
    assert [kind for kind, _ in found(requirements__txt=text)] == ["extra-index", "trusted-host", "plain-http"]
    hashed = f"--extra-index-url https://mine/simple\na==1 --hash=sha256:{SHA}\n"
    assert found(requirements__txt=hashed) == []
    assert found(requirements__txt="-i http://localhost:8080/simple\n--trusted-host localhost\na==1\n") == []


def test_recipes_are_judged_too() -> None:
    docker = "FROM python\nFROM python:3.11-slim\nRUN pip install a==1 --extra-index-url https://mine/simple\n"
    assert found(Dockerfile=docker) == [("extra-index", "extra-index-url"), ("unbounded", "python")]
    cells = [{"cell_type": "code", "source": "%pip install a --trusted-host h"}]
    assert found(nb__ipynb=json.dumps({"cells": cells})) == [("trusted-host", "trusted-host"), ("unbounded", "a")]


LOCK = """
[[package]]
name = "a"
version = "1.5"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "u", hash = "sha256:aa" }
[[package]]
name = "b"
version = "3.0"
source = { registry = "https://pypi.org/simple" }
"""


def test_a_lock_answers_for_its_project_and_is_held_against_it() -> None:
    project = '[project]\nname = "x"\ndependencies = ["a>=1", "b<3", "c", "d; os_name == \'nt\'"]\n'
    assert found(pyproject__toml=project, uv__lock=LOCK) == [
        ("lock-does-not-fit", "b"), ("not-locked", "c"), ("hash-missing", "b"),
    ]  # fmt: skip
    assert ("unbounded", "a") in found(pyproject__toml=project)


def test_the_index_that_a_tool_prefers_is_no_confusion() -> None:
    uv = '[project]\nname = "x"\n[[tool.uv.index]]\nurl = "https://mine/simple"\n'
    assert found(pyproject__toml=uv) == []
    assert found(pyproject__toml=uv + '[tool.uv]\nindex-strategy = "unsafe-best-match"\n') == [
        ("extra-index", "extra-index-url")
    ]


def test_paths_are_followed_to_where_they_lead() -> None:
    assert not leaves("a/b/requirements.txt", "../../x")
    assert leaves("a/b/requirements.txt", "../../../x")
    assert leaves("requirements.txt", "C:/x")
    assert leaves("requirements.txt", "file:///x")


def test_specifiers_of_other_languages_are_taken_to_fit() -> None:
    assert fits("^1.2", ["9"])
    assert fits("", ["1"])
    assert not fits(">=2", ["1.9"])
    assert fits(">=2", ["2.0rc1", "2.1"])
