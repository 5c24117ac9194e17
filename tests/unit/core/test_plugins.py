"""Plugins: real little distributions in a temporary folder; nothing is imported unless redan.toml allows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from redan.core import catalogue
from redan.core.errors import ConfigError
from redan.core.plugins import installed, load_allowed

PROBE = """
from redan.core.catalogue import probe
from redan.core.params import Params
from redan.core.probe import Spec

@probe(Spec(id={id!r}, name={name!r}, threat="evasion", title="t", source="s"))
class Margin:
    "Measures."
    Params = Params
"""


def distribution(folder: Path, name: str, code: str) -> str:
    """Write an installed distribution: a module, its dist-info and its entry point; return the module's name."""
    module = f"plugin_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[redan.plugins]\nmain = {module}\n")
    (info / "RECORD").write_text(f"{module}.py,,\n")
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions; what they register and import is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(catalogue._registered)
    yield tmp_path
    catalogue._registered.clear()
    catalogue._registered.update(before)
    for name in [name for name in sys.modules if name.startswith("plugin_")]:
        del sys.modules[name]


def test_installing_a_plugin_runs_nothing(site: Path) -> None:
    module = distribution(site, "acme-margin", PROBE.format(id="ACME-EVA-001", name="acme-margin"))
    (found,) = [p for p in installed(()) if p.distribution == "acme-margin"]
    assert (found.version, found.target, found.allowed) == ("1.2", module, False)
    assert found.sha256 == sha256(f"{module}.py,,\n".encode()).hexdigest()
    assert load_allowed(()) == ()
    assert module not in sys.modules
    assert "ACME-EVA-001" not in {e.id for e in catalogue.entries("probe")}


def test_an_allowed_plugin_joins_the_catalogue_under_its_own_name_and_no_other_does(site: Path) -> None:
    module = distribution(site, "acme-margin", PROBE.format(id="ACME-EVA-001", name="acme-margin"))
    other = distribution(site, "other-margin", PROBE.format(id="OTHER-EVA-001", name="other-margin"))
    loaded = load_allowed(("acme-margin",))
    assert [p.distribution for p in loaded] == ["acme-margin"]
    entry = catalogue.entry("probe", "acme-margin")
    assert entry.origin == "acme-margin"
    assert catalogue.load(entry).spec.id == "ACME-EVA-001"
    assert module in sys.modules
    assert other not in sys.modules
    assert load_allowed(("acme-margin",)) == loaded
    assert catalogue.entry("probe", "cascade").origin == "redan"


def test_a_name_that_is_not_installed_gives_the_nearest(site: Path) -> None:
    module = distribution(site, "acme-margin", PROBE.format(id="ACME-EVA-001", name="acme-margin"))
    with pytest.raises(ConfigError, match="names 'acme-margn', which is not installed") as caught:
        load_allowed(("acme-margn",))
    assert caught.value.hint == "did you mean 'acme-margin'?"
    assert module not in sys.modules
    with pytest.raises(ConfigError) as caught:
        load_allowed(("zzz",))
    assert caught.value.hint == "pip install zzz, or remove it from the list"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import surely_not_installed", "ModuleNotFoundError: No module named 'surely_not_installed'"),
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        (PROBE.format(id="RDN-EVA-001", name="mine"), "UsageError: probe RDN-EVA-001 (mine) is registered twice"),
        (PROBE.format(id="ACME-EVA-001", name="cascade"), "UsageError: probe ACME-EVA-001 (cascade) is registered"),
    ],
    ids=["import", "syntax", "crash", "exit", "our identifier", "our name"],
)
def test_a_broken_plugin_is_a_configuration_error_that_names_it(site: Path, code: str, reason: str) -> None:
    distribution(site, "acme-broken", code)
    with pytest.raises(ConfigError) as caught:
        load_allowed(("acme-broken",))
    assert caught.value.message.startswith("plugin acme-broken 1.2 cannot be imported: " + reason)
    assert "[plugins] allow" in caught.value.hint
    assert catalogue.entry("probe", "cascade").origin == "redan"


def test_the_command_line_says_which_plugins_are_allowed(tmp_path: Path) -> None:
    distribution(tmp_path, "acme-margin", PROBE.format(id="ACME-EVA-001", name="acme-margin"))
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from redan.cli.__main__ import main; main()"
    words = [sys.executable, "-c", program, "list", "plugins", "--format", "json"]
    without = json.loads(subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout)
    (tmp_path / "redan.toml").write_text('[plugins]\nallow = ["acme-margin"]\n')
    allowed = json.loads(subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout)
    assert [p["allowed"] for p in without if p["distribution"] == "acme-margin"] == [False]
    assert [p["allowed"] for p in allowed if p["distribution"] == "acme-margin"] == [True]
