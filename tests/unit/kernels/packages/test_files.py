"""Files of package managers, each read without running anything."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from redan.kernels.packages.installed import read_environment
from redan.kernels.packages.kinds import kind_of
from redan.kernels.packages.model import Manifest, Package
from redan.kernels.packages.reading import parse_manifest, read_manifest
from redan.kernels.packages.toml import UnreadableError


def read(kind: str, text: str, name: str = "file") -> Manifest:
    return parse_manifest(text.encode(), name, kind)


def named(manifest: Manifest) -> dict[str, Package]:
    return {p.name: p for p in manifest.packages}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("requirements.txt", "requirements"),
        ("a/requirements-dev.in", "requirements"),
        ("requirements/base.txt", "requirements"),
        ("dev-requirements.txt", "requirements"),
        ("constraints.txt", "requirements"),
        ("Pipfile", "pipfile"),
        ("Pipfile.lock", "pipfile-lock"),
        ("pylock.cpu.toml", "pylock"),
        ("environment-gpu.yml", "conda"),
        ("docker/Dockerfile.cuda", "dockerfile"),
        ("train.ipynb", "notebook"),
        ("notes.txt", ""),
        ("model.toml", ""),
        ("weights.pkl", ""),
    ],
)
def test_files_are_told_by_their_names(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_pyproject_gives_all_its_tables() -> None:
    found = read(
        "pyproject",
        """
[project]
name = "My_App"
version = "1.0"
license = "MIT"
dependencies = [
  "numpy>=1.26,<3",
  "torch==2.1.0",
]
[project.optional-dependencies]
gpu = ["cupy"]
[dependency-groups]
test = ["pytest", {include-group = "lint"}]
[build-system]
requires = ["hatchling"]
[tool.poetry.dependencies]
python = "^3.11"
requests = {version = "^2", extras = ["socks"]}
mine = {path = "../mine", develop = true}
forked = {git = "https://u:p@host/x.git", rev = "abc"}
[[tool.uv.index]]
url = "https://host/simple"
""",
    )
    packages = named(found)
    assert (found.project, found.project_version, found.project_licence) == ("my-app", "1.0", "MIT")
    assert (packages["torch"].version, packages["torch"].line) == ("2.1.0", 8)
    assert (packages["cupy"].group, packages["pytest"].group) == ("extra:gpu", "group:test")
    assert packages["hatchling"].role == "build"
    assert packages["requests"].extras == ("socks",)
    assert (packages["mine"].source.kind, packages["forked"].source.revision) == ("editable", "abc")
    assert packages["forked"].source.url == "https://host/x.git"
    assert [o.name for o in found.options] == ["index"]
    assert "python" not in packages


def test_setup_cfg_and_setup_py_are_read_and_not_run(tmp_path: Path) -> None:
    cfg = read("setup-cfg", "[metadata]\nname = x\nversion = attr: x.v\n[options]\ninstall_requires =\n  numpy>=1\n")
    assert [(p.name, p.line) for p in cfg.packages] == [("numpy", 6)]
    assert cfg.project_version == ""
    trap = tmp_path / "trap"
    found = read(
        "setup-py",
        f"import pathlib\npathlib.Path({str(trap)!r}).touch()\nwanted = ['numpy==1', *more()]\n"
        "setup(name='x', install_requires=wanted, extras_require={'a': ['torch']})",
    )
    assert not trap.exists()
    assert [(p.name, p.group) for p in found.packages] == [("numpy", ""), ("torch", "extra:a")]
    assert [p.why for p in found.problems] == ["a requirement is computed, not written out"]


def test_locks_give_versions_hashes_and_what_each_needs() -> None:
    poetry = read(
        "poetry-lock",
        '[[package]]\nname = "Torch"\nversion = "2.1"\nfiles = [{file = "t.whl", hash = "sha256:aa"}]\n'
        '[package.dependencies]\nNumPy = ">=1"\n',
    )
    uv = read(
        "uv-lock",
        '[[package]]\nname = "app"\nversion = "0.1"\nsource = { virtual = "." }\n'
        '[[package]]\nname = "torch"\nversion = "2.1"\nsource = { registry = "https://pypi.org/simple" }\n'
        'dependencies = [{ name = "numpy" }]\nwheels = [{ url = "u", hash = "sha256:bb" }]\n',
    )
    pylock = read(
        "pylock",
        'lock-version = "1.0"\n[[packages]]\nname = "torch"\nversion = "2.1"\n'
        'wheels = [{ name = "t.whl", hashes = { sha256 = "cc" } }]\n[[packages.dependencies]]\nname = "numpy"\n',
    )
    pdm = read(
        "pdm-lock",
        '[[package]]\nname = "torch"\nversion = "2.1"\ngroups = ["default"]\ndependencies = ["numpy>=1"]\n'
        'files = [{file = "t.whl", hash = "sha256:dd"}]\n',
    )
    for found, digest in ((poetry, "aa"), (uv, "bb"), (pylock, "cc"), (pdm, "dd")):
        torch = named(found)["torch"]
        assert (torch.version, torch.requires, torch.hashes, torch.role) == (
            "2.1", ("numpy",), (f"sha256:{digest}",), "locked",
        )  # fmt: skip
    assert uv.project == "app"


def test_json_locks_are_read() -> None:
    pipfile = read(
        "pipfile-lock",
        json.dumps(
            {
                "_meta": {"sources": [{"url": "https://u:p@h/simple", "verify_ssl": False}]},
                "default": {"numpy": {"version": "==1.2", "hashes": ["sha256:aa"]}},
                "develop": {"pytest": {"version": "==8"}},
            }
        ),
    )
    assert named(pipfile)["numpy"].version == "1.2"
    assert named(pipfile)["pytest"].group == "group:dev"
    assert [o.name for o in pipfile.options] == ["index-url", "trusted-host"]
    npm = read(
        "package-lock",
        json.dumps(
            {
                "lockfileVersion": 3,
                "packages": {
                    "": {"name": "app"},
                    "node_modules/@a/b": {"version": "1.0.0", "integrity": "sha256-" + "AAAA", "license": "MIT"},
                },
            }
        ),
    )
    assert npm.packages[0].purl == "pkg:npm/%40a/b@1.0.0"
    assert npm.packages[0].hashes == ("sha256:000000",)
    assert npm.packages[0].licence == "MIT"


def test_recipes_name_packages_too() -> None:
    conda = read(
        "conda",
        "name: x\ndependencies:\n  - python=3.11\n  - pytorch::torch>=2\n  - pip\n"
        "  - pip:\n    - numpy==1.0  # a\n    - -e .\n",
    )
    assert [(p.ecosystem, p.name, p.version) for p in conda.packages] == [
        ("conda", "python", "3.11"), ("conda", "torch", ""), ("conda", "pip", ""), ("pypi", "numpy", "1.0"),
        ("pypi", "-", ""),
    ]  # fmt: skip
    assert named(conda)["torch"].source.url == "pytorch"
    docker = read(
        "dockerfile",
        "FROM nvcr.io/nvidia/pytorch:24.01 AS base\nFROM base\n"
        "RUN apt-get update && pip3 install --no-cache-dir \\\n"
        "  'torch==2.1' -r requirements.txt \\\n  --extra-index-url https://h/s && rm x\n",
    )
    assert [(p.name, p.version, p.line) for p in docker.packages] == [
        ("nvcr.io/nvidia/pytorch", "24.01", 1), ("torch", "2.1", 3),
    ]  # fmt: skip
    assert docker.packages[0].purl == "pkg:docker/nvcr.io/nvidia/pytorch@24.01"
    assert [o.value for o in docker.options if o.name == "extra-index-url"] == ["https://h/s"]
    assert [i.path for i in docker.includes] == ["requirements.txt"]
    cells = [{"cell_type": "code", "source": ["%pip install -q numpy==1\n", "x = 1"]}, {"cell_type": "markdown"}]
    notebook = read("notebook", json.dumps({"cells": [*cells, {"cell_type": "code", "source": "!pip install torch"}]}))
    assert [(p.name, p.line) for p in notebook.packages] == [("numpy", 1), ("torch", 3)]


def test_an_environment_is_read_from_its_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "lib/python3.11/site-packages/Some_Thing-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: Some_Thing\nVersion: 1.0\nClassifier: License :: OSI Approved :: MIT License\n"
        "Requires-Dist: NumPy>=1\nRequires-Dist: pytest; extra == 'test'\n\nName: not this\n"
    )
    digest = "A" * 43
    (folder / "RECORD").write_text(f"some/a.py,sha256={digest},12\nsome/a.pyc,,\nsome/RECORD,,\n")
    (found,) = read_environment(tmp_path, "env").packages
    assert (found.name, found.version, found.licence, found.requires) == ("some-thing", "1.0", "MIT", ("numpy",))
    assert found.hashes[0].startswith("record-sha256:")
    (folder / "RECORD").write_text(f"some/a.py,sha256={digest[:-1]}E,12\n")
    assert read_environment(tmp_path, "env").packages[0].hashes != found.hashes


def test_the_environment_of_these_tests_is_read() -> None:
    import sys

    found = named(read_environment(Path(sys.prefix), "env"))
    assert found["numpy"].role == "installed"
    assert found["pytest"].licence == "MIT"


def test_an_environment_without_packages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no installed"):
        read_environment(tmp_path, "env")


HOSTILE = {
    "pyproject": ["[[[", "a." * 5000 + "b=1", "x = " + "[" * 100_000, "[project]\ndependencies = 3"],
    "setup-py": ["def (", "(" * 100_000, "x = " + "-" * 100_000 + "1", "setup(install_requires=[" * 3],
    "setup-cfg": ["no section", "[options]\ninstall_requires = %(x)s"],
    "package-lock": ["[" * 100_000, "[]", '{"packages": {"a": 3}}', '{"packages": []}'],
    "pipfile-lock": ["{", '{"default": [1]}', '{"default": {"a": 3}}'],
    "uv-lock": ["[[package]]\nname = 3", "package = 1", "[[package]]\nsource = 1"],
    "poetry-lock": ["[[package]]\nfiles = 1\ngroups = 3\nname = 'a'", "[metadata]\nfiles = 1\n[[package]]"],
    "pdm-lock": ["[[package]]\ngroups = 1"],
    "pylock": ["packages = [1, {}]", "[[packages]]\nvcs = 1\nwheels = 1"],
    "conda": [
        "dependencies: [a, b",
        "a: &x 1",
        "\t- a",
        "dependencies: 3",
        "- a\n- b",
        "dependencies:\n - !!python/x y",
    ],
    "notebook": ["{}", "[]", '{"cells": [{"cell_type": "code", "source": ["%pip install \'a"]}]}', '{"cells": 3}'],
    "dockerfile": ["FROM", "FROM $BASE", "RUN pip install $X 'a", "FROM " + "a" * 50_000],
    "requirements": ["\x00", "-", "--", "-r", "-e", "--hash", "\\", "a @ ", "-e \\"],
    "pipfile": ["[packages]\na = 3", "source = 3"],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in HOSTILE.items() for t in ts], ids=lambda v: v[:20])
def test_broken_files_are_refused_or_read_and_never_crash(kind: str, text: str) -> None:
    with contextlib.suppress(UnreadableError):
        assert read(kind, text).path == "file"


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe\xfa" * 3)
    with pytest.raises(UnreadableError, match="UTF-8"):
        read_manifest(path, "requirements.txt", "requirements")
    monkeypatch.setattr("redan.kernels.packages.reading.LARGEST_BYTES", 4)
    path.write_bytes(b"numpy")
    with pytest.raises(UnreadableError, match="larger"):
        read_manifest(path, "requirements.txt", "requirements")
