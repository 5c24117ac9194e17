"""MODULE.py:FACTORY runs the user's code and says what went wrong in it."""

from __future__ import annotations

import sys

import pytest

from redan.core.errors import MissingDependency, SubjectFailed, UnknownName, Unreadable, UsageError
from redan.subjects.factory import made_by, split_factory


@pytest.fixture
def module(tmp_path):
    (tmp_path / "beside_the_factory.py").write_text("VALUE = 7\n")
    path = tmp_path / "model.py"
    path.write_text(
        "import pickle\n"
        "from beside_the_factory import VALUE\n"
        "class Net: pass\n"
        "def good(): return VALUE\n"
        "def late():\n    import beside_the_factory\n    return beside_the_factory.VALUE\n"
        "def pickled(): return pickle.loads(pickle.dumps(Net()))\n"
        "def bad(): raise ValueError('out of paper')\n"
    )
    yield path
    sys.modules.pop("beside_the_factory", None)


@pytest.mark.parametrize("name", ["good", "late"])
def test_the_factory_finds_its_neighbours_and_leaves_the_path_as_it_was(module, name):
    before = list(sys.path)
    assert made_by(module, name) == 7
    assert sys.path == before


@pytest.mark.parametrize("name", ["good", "late"])
def test_the_folder_stays_as_it_was_sealed(module, name, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = sorted(module.parent.rglob("*"))
    made_by(module, name)
    assert sorted(module.parent.rglob("*")) == before
    assert not sys.dont_write_bytecode


def test_classes_of_the_module_can_be_pickled(module):
    assert type(made_by(module, "pickled")).__name__ == "Net"


def test_what_the_factory_raises_is_told(module):
    with pytest.raises(SubjectFailed, match="ValueError: out of paper"):
        made_by(module, "bad")


def test_an_unknown_function_names_the_nearest(module):
    with pytest.raises(UnknownName) as caught:
        made_by(module, "goood")
    assert "good" in caught.value.hint


def test_import_errors_and_missing_files_are_told(tmp_path):
    (tmp_path / "broken.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(SubjectFailed, match="no_such_module_at_all"):
        made_by(tmp_path / "broken.py", "f")
    with pytest.raises(Unreadable, match=r"no file .*gone\.py"):
        made_by(tmp_path / "gone.py", "f")
    with pytest.raises(UsageError, match="names no function"):
        made_by(tmp_path / "broken.py", "f()")


def test_a_library_that_an_extra_brings_is_named_with_its_extra(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text("import lightgbm\n")
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingDependency) as caught:
        made_by(tmp_path / "model.py", "net")
    assert caught.value.hint == 'pip install "redan[boosters]"'


def test_what_is_a_factory_and_what_is_not():
    assert split_factory("a/b.py:make") is not None
    assert split_factory("a/b.py") is None
    assert split_factory("http://host:80") is None
    assert split_factory("fashion-mnist:test") is None
