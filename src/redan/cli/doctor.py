"""`redan doctor`: what this installation can do, and what to install for the rest."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from redan import __version__
from redan.core import catalogue, config

EXTRAS = (
    ("arrays", "numpy", "data as arrays"),
    ("torch", "torch", "torch models, white-box attacks, hardening"),
    ("keras", "keras", "Keras 3 models on the torch backend"),
    ("hf", "transformers", "Hugging Face model folders"),
    ("sklearn", "scikit-learn", "scikit-learn models and bundled data"),
    ("boosters", "xgboost", "XGBoost models"),
    ("boosters", "lightgbm", "LightGBM models"),
    ("onnx", "onnxruntime", "ONNX models"),
    ("data", "pyarrow", "Parquet data"),
    ("data", "pillow", "images in folders"),
    ("store", "sqlalchemy", "redan store: runs and evidence in a database"),
    ("store", "psycopg", "a store in PostgreSQL"),
    ("store", "fsspec", "a store's blobs in S3 and the like"),
    ("store", "keyring", "a store's key in the system's keyring"),
    ("store", "hvac", "a store's key in Vault"),
)
_MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}


@click.command("doctor")
def command() -> int:
    """Say what this installation can do, and how to add what it cannot. Nothing is imported or sent."""
    for mark, what, detail in (*_here(), *_extras(), *_sandbox()):
        sys.stdout.write(f"{mark:<4} {what:<16} {detail}\n")
    return 0


def _here() -> Iterator[tuple[str, str, str]]:
    yield "ok", "redan", f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}"
    kinds = [f"{len(catalogue.entries(k))} {k}s" for k in catalogue.KINDS if catalogue.entries(k)]
    yield "ok", "catalogue", ", ".join(kinds)
    file = config.find(Path.cwd())
    yield ("ok", "redan.toml", str(file)) if file else ("-", "redan.toml", "none here: redan init")
    core = _opcode_core()
    yield ("ok" if core == "compiled" else "-"), "pickle opcodes", core
    waits = os.environ.get("OMP_WAIT_POLICY", "")
    yield ("ok" if waits.upper() == "PASSIVE" else "-"), "OMP_WAIT_POLICY", waits or "not set"


def _opcode_core() -> str:
    """How pickles are read: compiled, or why not."""
    import redan.kernels.artifacts.machine.calls  # noqa: F401  takes the compiled walk into use where it is there
    from redan.kernels.artifacts.machine.core import CORE

    return CORE.why


def _extras() -> Iterator[tuple[str, str, str]]:
    for extra, package, purpose in EXTRAS:
        if find_spec(_MODULES.get(package, package)) is None:
            yield "-", package, f'{purpose}: pip install "redan[{extra}]"'
            continue
        try:
            yield "ok", package, f"{version(package)}  {purpose}"
        except PackageNotFoundError:
            yield "ok", package, purpose


def _sandbox() -> Iterator[tuple[str, str, str]]:
    from redan.subjects.sandbox.confinement import landlock_version, why_not
    from redan.subjects.sandbox.namespaces import enclosing

    reason = why_not()
    around = "bubblewrap" if enclosing() else "no bubblewrap"
    able = f"Landlock {landlock_version()}, seccomp, limits, {around}: load, run and --trust can be used"
    yield ("-", "sandbox", reason) if reason else ("ok", "sandbox", able)
