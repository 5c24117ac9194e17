"""A project that serves one model behind the gateway: keys, a sealed scan, a data schema, clients with tokens."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np
from sklearn.datasets import load_breast_cancer

from redan.core import config as configuration
from redan.evidence.datasets.schema import infer, to_json
from redan.evidence.datasets.table import Column, Table
from redan.evidence.keys import generate, save
from redan.runner.scan import scan
from redan.runner.seal import seal
from redan.service.database import open_database
from redan.service.identity import directory
from redan.service.identity.authority import open_authority
from redan.service.identity.roles import roles_of

SETTINGS = """
[admission]
keys = ["seal.key.pub"]
[[admission.require]]
statement = "scan"
[serve]
address = "127.0.0.1:{port}"
name = "bench"
{limits}
[[serve.models]]
name = "m"
target = "{model}"
{schema}
{model_lines}
[serve.guards]
{guards}
[audit]
mode = "{mode}"
{more}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project that is ready: what starts it, and its clients' tokens."""

    argv: tuple[str, ...]
    tokens: tuple[str, ...]


def project(
    folder: Path,
    model: Path,
    *,
    port: int,
    mode: str = "async",
    guards: bool = True,
    clients: int = 1000,
    guard_lines: str = "rate_per_s = 100000\nburst = 100000\nrows_per_s = 1e6\nrows_burst = 1000000\n"
    "rows_per_day = 100000000\nround_digits = 6",
    more: str = "",
    limits: str = "",
    model_lines: str = "",
) -> Project:
    """Write it.

    Args:
        folder: new.
        model: is copied.
        port: to listen on.
        mode: of the audit log.
        guards: every guard on, or none.
        clients: how many may ask.
        guard_lines: settings of guards when they are on; limits so wide that nobody is refused.
        more: further tables.
        limits: further lines of [serve].
        model_lines: further lines of [[serve.models]].
    """
    copyfile(model, folder / model.name)
    for name in ("seal.key", "audit.key", "token.key"):
        save(generate("ed25519"), folder / name)
    seal(folder / model.name, scan(folder / model.name), key=folder / "seal.key")
    x, _ = load_breast_cancer(return_X_y=True)
    columns = [
        Column(name=f"f{i}", kind="number", dtype="float64", values=x[:, i].copy(), missing=np.zeros(len(x), bool))
        for i in range(x.shape[1])
    ]
    (folder / "rows.schema.json").write_bytes(
        to_json(infer(Table(name="train", columns=tuple(columns), n_rows=len(x))))
    )
    off = "authentication = false\nvalidation = false\nmonitors = false\nrate_per_s = 0\nrows_per_s = 0"
    text = SETTINGS.format(
        port=port,
        model=model.name,
        mode=mode if guards else "none",
        guards=guard_lines if guards else off,
        schema='schema = "rows.schema.json"' if guards else "",
        more=more,
        model_lines=model_lines,
        limits=limits if guards else limits + '\nadmission = "open"',
    )
    (folder / "redan.toml").write_text(text, encoding="utf-8")
    argv = (sys.executable, "-m", "redan.cli", "serve", "--config", str(folder / "redan.toml"))
    return Project(argv=argv, tokens=tokens(folder, clients))


def tokens(folder: Path, n: int) -> tuple[str, ...]:
    """Make clients that may ask every model, and a token for each."""
    config = configuration.load(file=folder / "redan.toml", root=folder, environ={})
    settings = config.settings
    database = open_database(settings.serve.database, root=config.root)
    authority = open_authority(settings, database, config.root)
    roles = roles_of(settings.identity)
    names = [f"client:c{number}" for number in range(n)]
    with database.writing() as connection:
        for name in names:
            directory.add(connection, name, by="bench")
            directory.grant(connection, roles, name, "client", by="bench")
    made = tuple(authority.token(name)[0] for name in names)
    database.close()
    return made
