"""`redan init`: redan.toml for a model it finds, an example project, and snippets for CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.runner.survey import Survey

PRE = "# Everything has a default; `redan check --show-config` prints what is in force and why.\n"

MOST_BYTES = 20_000_000
"""Largest table that is read for suggestions."""

GITHUB = """\
name: redan
on: [push, pull_request]
permissions:
  contents: read
  security-events: write
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install torch --index-url https://download.pytorch.org/whl/cpu
      - run: pip install "redan[all]"
      - run: redan check --quick --format sarif -o redan.sarif
      - uses: github/codeql-action/upload-sarif@v3
        if: always()
        with:
          sarif_file: redan.sarif
"""

GITLAB = """\
redan:
  image: python:3.12
  script:
    - pip install torch --index-url https://download.pytorch.org/whl/cpu
    - pip install "redan[all]"
    - redan check --quick --format junit -o redan.xml
  artifacts:
    when: always
    paths: [redan.xml, .redan/runs]
    reports:
      junit: redan.xml
"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--example", is_flag=True, help="Write a small example project with a model and its settings.")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "both", "none"]),
    default="none",
    show_default=True,
    help="CI job to write.",
)
@click.option("--serve", is_flag=True, help="Add the tables of the gateway, also to a redan.toml that exists.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def command(folder: Path, example: bool, ci: str, serve: bool, force: bool) -> int:  # click passes flags by name
    """Write redan.toml for a model found in FOLDER, and on request a CI job.

    \b
    redan init
    redan init --ci github
    redan init --serve
    redan init demo --example
    """
    from redan.runner.survey import survey

    if not folder.is_dir():
        if not example:
            raise UsageError(f"{str(folder)!r} is no folder", hint="give the folder that holds the model")
        folder.mkdir(parents=True)
    if example and serve:
        _serving_example(folder, force=force)
        return 0
    if example:
        _write(folder / "model.py", EXAMPLE, force=force)
    found = survey(folder)
    name = folder.resolve().name
    if serve and (folder / "redan.toml").is_file() and not force:
        return _extend(folder / "redan.toml", name, found)
    text = settings(name, found.models, found.data, example=example) + suggested(folder, found.data)
    text = _served(text, name, found) if serve else text
    _write(folder / "redan.toml", text, force=force)
    if ci in ("github", "both"):
        _write(folder / ".github" / "workflows" / "redan.yml", GITHUB, force=force)
    if ci in ("gitlab", "both"):
        _write(folder / ".gitlab-ci.redan.yml", GITLAB, force=force)
    if not found.models:
        sys.stderr.write("found no model here: set [model] target in redan.toml\n")
    elif not found.data and not example:
        sys.stderr.write("found no data here: set [data] test in redan.toml, or only files are scanned\n")
    sys.stderr.write(_steps(text) if serve else "next: redan plan, then redan check --quick\n")
    return 0


def _serving_example(folder: Path, *, force: bool) -> None:
    from redan.cli.init_serve import NEXT, TRAIN
    from redan.runner.survey import Survey

    name = folder.resolve().name
    found = Survey(models=("model.joblib",), data=("test.npz",))
    _write(folder / "train.py", TRAIN, force=force)
    _write(folder / "redan.toml", _served(settings(name, found.models, found.data), name, found), force=force)
    sys.stderr.write(f"next: cd {folder} && python train.py\n{NEXT.format(target='model.joblib')}")


def _served(text: str, name: str, found: Survey) -> str:
    from redan.cli.init_serve import extended

    return extended(text, name, next(iter(found.models), ""), next(iter(found.data), ""))


def _extend(path: Path, name: str, found: Survey) -> int:
    """Add the gateway's tables to settings that exist."""
    try:
        text = _served(path.read_text(encoding="utf-8"), name, found)
        path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise UsageError(f"cannot extend {str(path)!r}: {err}") from err
    sys.stderr.write(f"added the gateway's tables to {path}\n{_steps(text)}")
    return 0


def _steps(text: str) -> str:
    """Return what to type until what the settings name is served."""
    import tomllib

    from redan.cli.init_serve import NEXT

    return "next:\n" + NEXT.format(target=tomllib.loads(text)["serve"]["models"][0]["target"])


def _write(path: Path, text: str, *, force: bool) -> None:
    if path.exists() and not force:
        raise UsageError(f"{str(path)!r} exists", hint="redan init --force overwrites it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise UsageError(f"cannot write {str(path)!r}: {err.strerror}") from err
    sys.stderr.write(f"wrote {path}\n")


def settings(name: str, models: tuple[str, ...], data: tuple[str, ...], *, example: bool = False) -> str:
    """Return the text of a redan.toml.

    Args:
        name: name of the project.
        models: candidates for the model, most likely first.
        data: candidates for the data.
        example: whether this is the example project, whose data is built in.
    """
    lines = [PRE, "[project]", f"name = {quoted(name)}", "", "[model]"]
    lines += [f"target = {quoted(models[0])}"] if models else ['# target = "model.py:factory"  # or a file or address']
    lines += [f"# also found: {', '.join(models[1:6])}"] if len(models) > 1 else []
    lines += ["", "[data]"]
    known = "digits" if example else (data[0] if data else "")
    lines += [f"test = {quoted(known)}"] if known else ['# test = "test.npz"  # or CSV, Parquet, a folder of images']
    lines += [f"# also found: {', '.join(data[1:6])}"] if len(data) > 1 else []
    lines += ["limit = 500"] if example else []
    lines += ["", "[scan]", 'paths = ["."]', "", "[attack]", 'norm = "linf"']
    lines += ["eps = 0.1"] if example else ["# eps = 0.03  # on the inputs' own scale"]
    lines += ["", "[exposure]", 'queries = "public"  # nobody, internal, customers or public']
    lines += ['answers = "scores"  # labels or scores', "", "[gate]", 'level = "high"']
    return "\n".join(lines) + "\n"


def suggested(folder: Path, data: tuple[str, ...]) -> str:
    """Return rules that the rows of a table suggest, as comments; nothing where the first data are no small table."""
    if not data or not data[0].endswith((".csv", ".parquet")) or (folder / data[0]).stat().st_size > MOST_BYTES:
        return ""
    from redan.core.errors import RedanError
    from redan.runner.opening import suggestions

    try:
        rules = suggestions(str(folder / data[0]))
    except RedanError:
        return ""  # what cannot be read as a table suggests nothing; `redan check` will say why
    lines = [f"# integer = [{', '.join(map(quoted, rules.integer))}]"] if rules.integer else []
    groups = [f"[{', '.join(map(quoted, group))}]" for group in rules.one_hot]
    lines += [f"# one_hot = [{', '.join(groups)}]"] if groups else []
    head = ["", "# What an attacker can change in a row; the rows themselves suggest:", "# [constraints]"]
    return "\n".join([*head, *lines]) + "\n" if lines else ""


def quoted(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in escaped) + '"'


EXAMPLE = '''\
"""A small network on scikit-learn's digits, trained in a second or two when it is asked for."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def net() -> nn.Module:
    """Train on the last 1000 digits; the first ones stay for measuring."""
    digits = load_digits()
    x = torch.tensor(digits.images[-1000:], dtype=torch.float32).unsqueeze(1) / 16
    y = torch.tensor(digits.target[-1000:])
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = (torch.rand(parameter.shape, generator=generator) - 0.5) / 4
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        for rows in torch.randperm(len(x), generator=generator).split(128):
            adam.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            adam.step()
    return model.eval()
'''
