"""The compiled core is built where a compiler is there, and its absence is a sentence, not an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
COMPILE = REPOSITORY / "native" / "compile.py"
READ_EACH = REPOSITORY / "tests" / "unit" / "kernels" / "artifacts" / "machine" / "read_each.py"
STABLE_UNDERSCORES = {
    "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct", "_Py_Dealloc", "_PyArg_ParseTuple_SizeT",
    "_Py_BuildValue_SizeT",
}  # fmt: skip
"""What CPython's `Misc/stable_abi.toml` lists of the names with an underscore, as far as headers use them for us."""

SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1"


def compiled(target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(COMPILE), str(target)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )


def needs_compiler() -> str:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here")
    return compiler


def test_it_compiles_without_a_warning_and_loads(tmp_path):
    needs_compiler()
    done = compiled(tmp_path / "_walk.abi3.so", CFLAGS="-Werror -O0")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "_walk.abi3.so").is_file()


@pytest.mark.parametrize("compiler", ["/bin/false", "/no/such/compiler"])
def test_without_a_compiler_it_says_why_and_leaves_no_old_module(tmp_path, compiler):
    target = tmp_path / "_walk.abi3.so"
    target.write_bytes(b"of an earlier version")
    done = compiled(target, CC=compiler)
    assert done.returncode == 1
    assert compiler in done.stdout
    assert not target.exists()


def test_a_module_that_does_not_load_is_removed(tmp_path):
    needs_compiler()
    target = tmp_path / "_walk.abi3.so"
    done = compiled(target, CFLAGS="-DPyModuleDef_Init=no_such_function -Wno-implicit-function-declaration")
    assert done.returncode == 1
    assert "does not load" in done.stdout
    assert not target.exists()


def test_it_asks_for_nothing_beyond_the_stable_interface(tmp_path):
    needs_compiler()
    if shutil.which("nm") is None:
        pytest.skip("no nm here")
    target = tmp_path / "_walk.abi3.so"
    assert compiled(target).returncode == 0
    listed = subprocess.run(["nm", "-D", "--undefined-only", str(target)], capture_output=True, text=True, check=True)
    asked = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {name for name in asked if name.startswith("_Py")} <= STABLE_UNDERSCORES


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_sanitizer_complains_of_the_corpus_and_its_mutations(tmp_path, shared):
    compiler = needs_compiler()
    target = tmp_path / "_walk.abi3.so"
    words = [compiler, "-shared", "-fPIC", *SANITIZERS.split(), f"-I{sysconfig.get_path('include')}"]
    built = subprocess.run([*words, str(COMPILE.with_name("walk.c")), "-o", str(target)], check=False, timeout=300)
    if built.returncode != 0:
        pytest.skip("no sanitizers here")
    libraries = [library(compiler, name) for name in ("libasan.so", "libubsan.so")]
    manifest = shared / "corpus" / "supply_chain" / "manifest.json"
    entries = [manifest.parent / entry["path"] for entry in json.loads(manifest.read_text())]
    files = [file for path in entries for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    small = [str(file) for file in sorted(files) if file.stat().st_size < 100_000]
    done = subprocess.run(
        [sys.executable, str(READ_EACH), str(REPOSITORY), str(target), "60"],
        input="\n".join(small),
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
        env={
            **os.environ,
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 50 * len(small) > 5_000


def library(compiler: str, name: str) -> str:
    """Where the compiler keeps a library that must be loaded first."""
    words = [compiler, f"-print-file-name={name}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
