"""Names and constants, followed through what Python offers to hide them."""

from __future__ import annotations

import pytest

from redan.kernels.code import Call, Module, from_python, read_folder


def modules(files: dict[str, str]) -> dict[str, Module]:
    """Read files together."""
    sources = [from_python(text, path) for path, text in files.items()]
    return {module.source.path: module for module in read_folder(sources).modules}


def calls(text: str) -> list[Call]:
    return modules({"snippet.py": text})["snippet.py"].calls


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import torch as t\nt.load()", "torch.load"),
        ("from torch import load as L\nL()", "torch.load"),
        ("import torch\nload = torch.load\nload()", "torch.load"),
        ("import torch\ngetattr(torch, 'load')()", "torch.load"),
        ("import importlib\nt = importlib.import_module('torch')\nt.load()", "torch.load"),
        ("__import__('torch').load()", "torch.load"),
        ("import functools, torch\nf = functools.partial(torch.load, 1)\nf()", "torch.load"),
        ("from torch import *\nload()", "torch.load"),
        ("def f():\n    import torch\n    def g():\n        torch.load()", "torch.load"),
        ("import requests\ns = requests.Session()\ns.get()", "requests.Session().get"),
        ("import requests\nwith requests.Session() as s:\n    s.get()", "requests.Session().get"),
        ("import requests\ndef f(s: requests.Session):\n    s.get()", "requests.Session().get"),
        ("import requests\ndef make():\n    return requests.Session()\nmake().get()", "requests.Session().get"),
        (
            "import a\nclass C:\n    def __init__(self):\n        self.x = a.B()\n    def f(self):\n        self.x.y()",
            "a.B().y",
        ),
        ("import a\nclass C(a.B):\n    pass\nC().y()", "a.B().y"),
        ("eval()", "builtins.eval"),
        ("def f(x):\n    x.create()", "?.create"),
        ("async def f():\n    import a\n    (await a.b()).c()", "a.b().c"),
    ],
)
def test_a_name_is_followed(text: str, name: str) -> None:
    assert any(name in call.names for call in calls(text))


def test_conditional_imports_have_both_meanings() -> None:
    text = "try:\n    import cPickle as p\nexcept ImportError:\n    import pickle as p\np.load()"
    assert set(calls(text)[-1].names) == {"cPickle.load", "pickle.load"}


def test_a_name_of_ones_own_is_not_taken_for_a_librarys() -> None:
    assert calls("def load():\n    pass\nload()")[-1].names == (":snippet.load",)
    assert calls("def eval(x):\n    pass\neval(1)")[-1].names == (":snippet.eval",)


def test_names_are_followed_into_other_files() -> None:
    found = modules(
        {
            "pkg/__init__.py": "from .inner import load as again\n",
            "pkg/inner.py": "from torch import load\n",
            "app.py": "from pkg import again\nagain()",
        }
    )
    assert found["app.py"].calls[-1].names == ("torch.load",)


def test_a_file_beside_does_not_hide_a_library_that_it_imports() -> None:
    found = modules({"yaml.py": "import yaml\nyaml.load()", "b.py": "import torch\ntorch.load()"})
    assert found["b.py"].calls[-1].names == ("torch.load",)


def test_arguments_are_seen_through_partials_dictionaries_and_names() -> None:
    text = "import functools, a\nNO = False\nkw = {'x': NO}\nkw['y'] = 1\nf = functools.partial(a.b, z=2)\nf(3, **kw)"
    call = calls(text)[-1]
    assert [call.value(word) for word in "xyz"] == [False, 1, 2]
    assert call.value("w", 0) == 3
    assert not call.open


def test_arguments_that_cannot_be_seen_are_not_guessed() -> None:
    call = calls("def f(**kw):\n    g(**kw)")[-1]
    assert call.open
    assert call.value("x") is not None
    assert call.value("x") is not False


def test_names_that_refer_to_each_other_end() -> None:
    assert calls("x = y\ny = x\nx.load()")[-1].names[0].endswith(".load")
    found = modules({"a.py": "from b import *\nf()", "b.py": "from a import *\ng()"})
    assert len(found) == 2
