"""Files of package managers that nobody would write: read or refused in words, never a crash and never without end."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from redan.kernels.cards.documents import read_card, read_config
from redan.kernels.packages.judging import weak_points
from redan.kernels.packages.model import Manifest
from redan.kernels.packages.reading import parse_manifest
from redan.kernels.packages.resolving import resolve
from redan.kernels.packages.toml import UnreadableError

EXAMPLES = 3000 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 25
LIMITS = settings(max_examples=EXAMPLES, deadline=None, phases=(Phase.explicit, Phase.generate))

SEEDS = {
    "requirements": [
        "-r x.txt\n",
        "a==1 \\\n",
        "--hash=sha256:aa\n",
        "-e ../x[y]\n",
        "a @ git+https://h/x@v\n",
        "; m\n",
    ],
    "pyproject": ['[project]\nname="a"\n', 'dependencies=["a>=1"]\n', "[tool.poetry.dependencies]\n", "b={git='u'}\n"],
    "setup-cfg": ["[options]\n", "install_requires =\n", "  a>=1\n", "[metadata]\nname = x\n"],
    "setup-py": ["setup(", "install_requires=[", "'a==1',", "*x,", "])", "extras_require={'a': [1]}", "\n"],
    "pipfile": ["[packages]\n", 'a="*"\n', "[[source]]\n", "verify_ssl=false\n", 'url="http://h"\n'],
    "poetry-lock": ["[[package]]\n", 'name="a"\n', 'version="1"\n', "files=[{hash='sha256:aa'}]\n", "groups=[1]\n"],
    "pdm-lock": ["[[package]]\n", 'name="a"\n', 'dependencies=["b>1"]\n', "groups=['x']\n"],
    "uv-lock": ["[[package]]\n", 'name="a"\n', 'source={git="u#1"}\n', "wheels=[{hash='x'}]\n", "sdist=1\n"],
    "pylock": ["[[packages]]\n", 'name="a"\n', 'vcs={url="u"}\n', "archive={}\n", "wheels=[1]\n"],
    "pipfile-lock": ['{"default":', '{"a":', '{"version":"==1"}', "}", ',"_meta":{"sources":[{}]}', "}"],
    "package-lock": ['{"packages":', '{"node_modules/a":', '{"integrity":"sha256-AA=="', ',"link":true', "}", "}}"],
    "conda": ["dependencies:\n", "- a=1\n", "- pip:\n", "  - b==1\n", "name: [x, y]\n", "a: |\n", "'\n"],
    "dockerfile": ["FROM a:1 AS b\n", "FROM b\n", "RUN pip install a==1 -r x \\\n", " && x\n", "RUN pip install 'a\n"],
    "notebook": ['{"cells":[', '{"cell_type":"code","source":', '["%pip install a"]', "}", "]}", ","],
}


def texts(kind: str) -> st.SearchStrategy[str]:
    """Texts made of pieces that the format knows, in any order, with noise between them."""
    return st.lists(st.sampled_from(SEEDS[kind]) | st.text(max_size=8), max_size=12).map("".join)


@pytest.mark.parametrize("kind", SEEDS)
def test_every_reader_reads_or_refuses(kind: str) -> None:
    @given(text=texts(kind))
    @LIMITS
    def holds(text: str) -> None:
        with contextlib.suppress(UnreadableError):
            found = parse_manifest(text.encode("utf-8", "surrogatepass"), "a/file", kind)
            assert isinstance(found, Manifest)
            list(weak_points([found]))
            assert {r.key for r in resolve([found])} <= {p.key for p in found.packages}

    holds()


@given(text=texts("conda") | texts("pipfile-lock") | st.text(), fence=st.booleans())
@LIMITS
def test_cards_and_configurations_give_facts_or_none(text: str, fence: bool) -> None:
    read_card(f"---\n{text}\n---\n" if fence else text)
    read_config(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("uv-lock", '[[package]]\nname = "a"\n' * 6000),
        ("package-lock", '{"packages": {' + ",".join(f'"n{i}": {{}}' for i in range(30_000)) + "}}"),
        ("requirements", "a \\\n" * 50_000),
        ("requirements", "a==1 " + "--hash=sha256:aa " * 5000),
        ("dockerfile", "RUN " + "pip install " * 8000),
        ("conda", "a:\n" + "".join(f"{' ' * n}b:\n" for n in range(1, 500))),
        ("pyproject", "a" + ".b" * 50_000 + " = 1"),
        ("setup-py", "x = " + "[" * 50_000),
        ("notebook", '{"cells": [{"cell_type": "code", "source": "!pip install ' + "a " * 20_000 + '"}]}'),
    ],
    ids=lambda value: value[:12],
)
def test_large_and_deep_files_end_soon(kind: str, text: str) -> None:
    import time

    start = time.process_time()
    with contextlib.suppress(UnreadableError):
        parse_manifest(text.encode(), "a/file", kind)
    assert time.process_time() - start < 5
