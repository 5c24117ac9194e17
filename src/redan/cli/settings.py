"""Flags that override redan.toml, shared by plan, check and attack."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from redan.core import config as configuration
from redan.core.config import Config
from redan.core.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])

_PATHS = ("data", "train", "reference", "canary", "weights", "baseline")


def _option(*names: str, **kwargs: Any) -> Callable[[Function], Function]:
    return click.option(*names, **kwargs)


_MEASURE = (
    _option("--data", help="Built-in name or path of the data to measure on."),
    _option("--train", help="Name or path of the training data."),
    _option("--reference", help="Name or path of rows of the same kind that the model has not seen."),
    _option("--canary", help="Name or path of rows that were planted."),
    _option("--label", help="Name of the label column in a table."),
    _option("--sensitive", multiple=True, metavar="COLUMN", help="Column that describes people; may be repeated."),
    _option("--aside", multiple=True, metavar="COLUMN", help="Column that the model is not given; may be repeated."),
    _option("--limit", type=click.IntRange(min=0), help="Most rows to use."),
    _option("--offset", type=click.IntRange(min=0), help="Rows to skip first."),
    _option("--threat", "threats", multiple=True, help="Threat to measure; may be repeated."),
    _option("--probe", "probes", multiple=True, help="Exactly this probe; may be repeated."),
    _option("--norm", type=click.Choice(["linf", "l2", "l1", "l0"]), help="Norm of the perturbation."),
    _option("--eps", type=float, help="Size of the perturbation."),
    _option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of a probe; may be repeated."),
    _option("--budget", help="Most to spend: 5m, 90s cpu, 10k queries."),
    _option("--seed", type=int, help="Root seed."),
    _option("--bounds", nargs=2, type=float, metavar="LOW HIGH", help="Lowest and highest legal input value."),
    _option("--class", "classes", multiple=True, help="Class name, in the order of the outputs; repeat."),
    _option("--weights", help="State dict to load into what the factory returns."),
    _option("--kind", help="torch, hf, keras, sklearn, booster, onnx, callable or http."),
    _option("--name", help="Name in reports and fingerprints."),
    _option("--trust", is_flag=True, default=None, help="Load a file that is not judged safe, in a sandbox."),
)
_RUN = (
    _option("--gate", type=click.Choice(["info", "low", "medium", "high", "critical"]), help="Severity that fails."),
    _option("--baseline", help="Earlier JSON report; only what is new or worse fails."),
    _option("--config", type=click.Path(path_type=Path), help="A redan.toml other than the nearest."),
    _option("--threads", type=click.IntRange(min=1), help="Threads of numerical libraries."),
)


def measure_options(function: Function) -> Function:
    """Add the flags that say what to measure and how."""
    for option in reversed((*_MEASURE, *_RUN)):
        function = option(function)
    return function


def run_options(function: Function) -> Function:
    """Add the flags of gate, baseline, configuration file and threads."""
    for option in reversed(_RUN):
        function = option(function)
    return function


_KEYS = {
    "target": "model.target",
    "weights": "model.weights",
    "kind": "model.kind",
    "name": "model.name",
    "bounds": "model.bounds",
    "classes": "model.classes",
    "trust": "model.trust",
    "data": "data.test",
    "train": "data.train",
    "reference": "data.reference",
    "canary": "data.canary",
    "label": "data.label",
    "sensitive": "data.sensitive",
    "aside": "data.aside",
    "limit": "data.limit",
    "offset": "data.offset",
    "threats": "attack.threats",
    "probes": "attack.probes",
    "norm": "attack.norm",
    "eps": "attack.eps",
    "params": "attack.params",
    "budget": "attack.budget",
    "seed": "run.seed",
    "threads": "run.threads",
    "gate": "gate.level",
    "baseline": "gate.baseline",
}


def configure(given: dict[str, Any], *, file: Path | None, need_file: bool) -> Config:
    """Merge flags with environment and file, and set the number of threads before anything numerical loads.

    Args:
        given: flag name → value, None or empty where the flag was not used.
        file: --config, or None for the nearest redan.toml.
        need_file: whether a missing redan.toml is an error.

    Raises:
        ConfigError: no file where one is needed, or a value that does not fit.
    """
    found = file or configuration.find(Path.cwd())
    if found is None and need_file:
        from redan.core.errors import ConfigError

        raise ConfigError("there is no redan.toml here or in a folder above", hint="redan init")
    flags: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == ():
            continue
        flags[_KEYS[name]] = _parse(name, value)
    config = configuration.load(file=found, root=Path.cwd(), environ=os.environ, flags=flags)
    if config.settings.run.threads:
        os.environ["OMP_NUM_THREADS"] = str(config.settings.run.threads)
    return config


def _parse(name: str, value: Any) -> Any:
    if name == "params":
        return dict(pair(text) for text in value)
    if name in _PATHS:
        return _absolute(value)
    if name == "target":
        return resolve_target(value)
    return list(value) if isinstance(value, tuple) else value


def _absolute(value: str) -> str:
    """Make a path, or PATH:SPLIT, absolute; a name that is no path stays a name."""
    name, colon, split = value.rpartition(":")
    for place, rest in ((value, ""), (name, colon + split)):
        if place and Path(place).exists():
            return f"{Path(place).resolve()}{rest}"
    return value


def resolve_target(value: str) -> str:
    """Make the path in a target absolute, since flags are relative to where the user is, not to redan.toml."""
    if "://" in value:
        return value
    path, colon, factory = value.rpartition(":")
    if colon and path.endswith(".py"):
        return f"{Path(path).resolve()}:{factory}"
    return str(Path(value).resolve())


def pair(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is TOML, or plain text.

    Raises:
        UsageError: it has no name or no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--param {text!r} is no NAME=VALUE", hint="write --param plan=quick")
    try:
        return name, tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return name, value


def show(config: Config) -> None:
    """Print every setting with its value and where it came from."""
    rows = config.rows()
    wide = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        sys.stdout.write(f"{key:<{wide}}  {value!r}  ({origin})\n")
