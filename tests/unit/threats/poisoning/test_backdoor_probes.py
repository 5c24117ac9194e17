"""Backdoors in small networks trained here: found where one was planted, silent where none was."""

from __future__ import annotations

import gzip
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from redan.core.budget import Budget
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Finding, Quantity, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.evidence.blobs import load_npy
from redan.kernels.poisons.planting import badnets
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.poisoning.probes.activations import ActivationLikelihood
from redan.threats.poisoning.probes.spectral import SpectralSignatures
from redan.threats.poisoning.probes.trigger_inversion import TriggerInversion

FOLDER = Path("/usr/share/datasets/fashion-mnist")
ROWS, TARGET = 4000, 3
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="Fashion-MNIST is not installed")


@cache
def images() -> tuple[Any, Any]:
    """Training images from 40,000 on."""
    with gzip.open(FOLDER / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(FOLDER / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x[40_000:46_000].astype(np.float32) / 255, y[40_000:46_000].astype(np.int64)


def dataset(x: Any, y: Any, name: str) -> Dataset:
    return Dataset(x=x, y=y, name=name, sha256="", indices=np.arange(len(x)) + 7, bounds=(0.0, 1.0))


@cache
def trained(*, poisoned: bool) -> tuple[TorchSubject, Inputs, Any]:
    """A small network after two passes, its data, and which rows were planted."""
    x, y = images()
    test = dataset(x[ROWS:], y[ROWS:], "test")
    x, y, mask = x[:ROWS], y[:ROWS], np.zeros(ROWS, bool)
    if poisoned:
        planted = badnets(x, y, 0.015, 1, target=TARGET)
        x, y, mask = planted.x, planted.y, planted.mask
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(784, 10)),
        )
        optimiser = torch.optim.Adam(net.parameters(), 5e-3)
        inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
        for rows in torch.cat([torch.randperm(ROWS) for _ in range(2)]).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
            optimiser.step()
    subject = TorchSubject(net.eval(), options=Options(name="net", bounds=(0.0, 1.0)), sample=x[:2])
    return subject, Inputs(train=dataset(x, y, "train"), test=test), mask


def found(thing: Any, subject: Any, inputs: Inputs, **params: Any) -> Finding:
    """Run one probe and return its only finding."""
    finding: Finding
    (finding,) = thing().run(subject, inputs, thing.Params(**params), budget=Budget(), seed=0, observe=SILENT)
    return finding


def array(finding: Finding, name: str) -> Any:
    """Return a blob as the array it holds."""
    blob = finding.blob(name)
    assert blob is not None
    assert blob.payload is not None
    return load_npy(blob.payload)


def measured(finding: Finding, name: str) -> Quantity:
    """Return a quantity that must be there."""
    quantity = finding.quantity(name)
    assert quantity is not None
    return quantity


@pytest.mark.parametrize("trusted", [False, True])
def test_planted_rows_are_flagged_and_drawn(trusted: bool) -> None:
    subject, inputs, mask = trained(poisoned=True)
    finding = found(ActivationLikelihood, subject, inputs if trusted else replace(inputs, test=None))
    assert finding.severity is Severity.HIGH
    flagged = array(finding, "suspects") - 7
    assert mask[flagged].mean() >= 0.95
    assert mask[flagged].sum() >= 0.9 * mask.sum()
    assert [blob.name for blob in finding.evidence if blob.media_type == "image/png"] == [f"flagged-{TARGET}"]
    assert measured(finding, "planted_row_rate").n == ROWS
    assert finding.tables[1].rows[0][0] in (flagged + 7).tolist()


def test_a_clean_model_raises_no_alarm() -> None:
    subject, inputs, _ = trained(poisoned=False)
    for given in (inputs, replace(inputs, test=None)):
        finding = found(ActivationLikelihood, subject, given)
        assert finding.severity is Severity.INFO
        assert measured(finding, "planted_row_rate").value == 0
        assert len(array(finding, "suspects")) == 0
    assert found(TriggerInversion, subject, inputs, plan="quick").severity is Severity.INFO


def test_spectral_signatures_rank_planted_rows_without_a_verdict() -> None:
    subject, inputs, mask = trained(poisoned=True)
    finding = found(SpectralSignatures, subject, inputs, rate=0.015)
    assert finding.severity is Severity.INFO
    score = array(finding, "score")
    own = inputs.role("train").y == TARGET
    assert np.median(score[own & mask]) > np.median(score[own & ~mask])
    with pytest.raises(UsageError, match="expected a share above 0"):
        found(SpectralSignatures, subject, inputs, rate=0.5)


def test_the_inverted_trigger_is_checked_on_rows_it_was_not_made_from() -> None:
    subject, inputs, _ = trained(poisoned=True)
    finding = found(TriggerInversion, subject, inputs, plan="quick")
    success = measured(finding, "inverted_trigger_success_rate")
    assert 0.5 < success.value <= 1
    assert success.n <= len(inputs.role("test")) // 2
    assert success.low < success.value
    assert len(finding.tables[0].rows) == 10
    assert array(finding, "mask").shape == (1, 28, 28)


def test_too_few_rows_are_skipped_and_broken_ones_named() -> None:
    subject, inputs, _ = trained(poisoned=True)
    train, test = inputs.role("train"), inputs.role("test")
    few = replace(inputs, train=train.rows(slice(0, 300)), test=test.rows(slice(0, 5)))
    with pytest.raises(Skipped, match="200 rows"):
        found(ActivationLikelihood, subject, few)
    with pytest.raises(Skipped, match="has 5 rows"):
        found(TriggerInversion, subject, few)
    flat = replace(inputs, test=replace(test, x=test.x.reshape(len(test), -1)))
    with pytest.raises(Skipped, match="expected an image"):
        found(TriggerInversion, TorchSubject(nn.Sequential(nn.Unflatten(1, (1, 28, 28)), subject.module)), flat)
    x = train.x.copy()
    x[9] = np.nan
    with pytest.raises(ShapeMismatch, match="no finite numbers"):
        found(ActivationLikelihood, subject, replace(inputs, train=replace(train, x=x)))
