"""Whose model is it: ``python benchmarks/ownership.py`` (3 CPU minutes, and 6 more the first time: networks are kept).

A Fashion-MNIST network is marked by a trigger set, by bits in its weights, and gets a fingerprint. The null of each is
fitted on 20 independent networks; 20 further ones, none of them among these, are then held against it, and what is
left of the secrets is counted after what a thief may do. Every network has own rows and weights
(benchmarks/backdoored.py makes them); the thief has rows of his own. Accuracy is on test images 0-999.

Claims: p < 1e-6 after pruning the smaller half of all weights, four epochs of fine-tuning, and rounding to int8, by
each method; no further model at p < 1e-3. The other rows of the table are no claims: they say what does not survive.
"""

from __future__ import annotations

import copy
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from backdoored import CACHE, case, images, poisoned_rows, small_cnn, trained
from torch import nn

from redan.core.inputs import Dataset, Inputs
from redan.evidence.ownership import Mark
from redan.kernels.ownership.marking import without_smallest
from redan.kernels.ownership.null import Null, fitted
from redan.kernels.ownership.trigger_set import trigger_set
from redan.kernels.ownership.weights import carried, carrier
from redan.runner.own_mark import MarkParams, Owned, fingerprinted, marked
from redan.runner.own_reading import Secrets, count
from redan.runner.run import Session
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
OWNER = 300
NULL = (*range(106, 120), *range(200, 206))
FURTHER = (*range(5), *range(100, 106), *range(206, 215))
THIEF = 901
OWNERS_ROWS, ROWS = 20_000, 10_000
"""Rows that the owner marks with, and rows of the thief's own."""
METHODS = ("triggers", "weights", "fingerprint")
CLAIMED = ("as it is", "pruned 50 %", "fine-tuned 4 epochs", "int8")
ACCUSED, DOUBTED = 1e-6, 1e-3
KEYS, PRINTS = 25, 3
"""Further keys that the further networks are held against; fingerprints are dearer."""
PARAMS = MarkParams(batch_size=128, epochs=5, steps=0)


def subject(net: nn.Module) -> TorchSubject:
    """Wrap a network whose inputs lie in [0, 1]."""
    options = Options(name="fashion", bounds=(0.0, 1.0), classes=tuple(map(str, range(10))), score_kind="logits")
    return TorchSubject(net, options=options)


def rows_of(x: Any, y: Any, name: str) -> Dataset:
    """Wrap rows."""
    return Dataset(x=x, y=y, name=name, sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


def pruned(net: nn.Module, share: float) -> nn.Module:
    """Set the smallest share of each matrix of weights to zero."""
    changed = copy.deepcopy(net)
    changed.load_state_dict({**changed.state_dict(), **without_smallest(net, share)})
    return changed


def rounded(net: nn.Module) -> nn.Module:
    """Round each matrix of weights to 255 levels."""
    changed = copy.deepcopy(net)
    for weight in changed.parameters():
        if weight.dim() > 1:
            step = weight.detach().abs().max() / 127
            weight.data = (weight.data / step).round() * step
    return changed


def tuned(net: nn.Module, x: Any, y: Any, *, epochs: int = 4, rate: float = 1e-3) -> nn.Module:
    """Train on with the thief's rows: Adam at a constant rate."""
    changed = copy.deepcopy(net).train().requires_grad_(requires_grad=True)
    inputs, labels = torch.as_tensor(x), torch.as_tensor(y)
    optimiser = torch.optim.Adam(changed.parameters(), rate)
    order = torch.Generator().manual_seed(THIEF)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs), generator=order).split(128):
            loss = nn.functional.cross_entropy(changed(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return changed.eval()


def distilled(net: nn.Module, x: Any) -> nn.Module:
    """Train fresh weights on the model's probabilities for the thief's rows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(THIEF)
        student = small_cnn()
    inputs = torch.as_tensor(x)
    with torch.no_grad():
        answers = net(inputs).softmax(1)
    optimiser = torch.optim.Adam(student.parameters(), 2e-3)
    order = torch.Generator().manual_seed(THIEF)
    for _ in range(5):
        for rows in torch.randperm(len(inputs), generator=order).split(128):
            loss = nn.functional.cross_entropy(student(inputs[rows]), answers[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return student.eval()


def extracted(net: nn.Module, x: Any) -> nn.Module:
    """Train fresh weights on the model's labels alone."""
    with torch.no_grad():
        labels = net(torch.as_tensor(x)).argmax(1).numpy()
    return trained(x, labels, THIEF)


def overwritten(net: nn.Module, thief: Inputs, method: str) -> nn.Module:
    """Put another key's mark over the owner's; a model with a fingerprint gets a trigger set and bits."""
    over: Any = "both" if method == "fingerprint" else method
    made: Any = marked(subject(net), thief, OTHER, over, PARAMS, Session(seed=1)).subject
    return made.module.inner


def thefts(thief: Inputs, method: str) -> dict[str, Callable[[nn.Module], nn.Module]]:
    """What a thief may do."""
    data = thief.role("train")
    return {
        "as it is": lambda net: net,
        "pruned 50 %": lambda net: pruned(net, 0.5),
        "fine-tuned 4 epochs": lambda net: tuned(net, data.x, data.y),
        "int8": rounded,
        "pruned 50 %, then fine-tuned": lambda net: tuned(pruned(net, 0.5), data.x, data.y),
        "fine-tuned 4 epochs at three times the rate": lambda net: tuned(net, data.x, data.y, rate=3e-3),
        "pruned 70 %": lambda net: pruned(net, 0.7),
        "overwritten with another key": lambda net: overwritten(net, thief, method),
        "distilled": lambda net: distilled(net, data.x),
        "extracted by labels": lambda net: extracted(net, data.x),
    }


def made(method: str, owner: nn.Module, inputs: Inputs) -> Owned:
    """Mark the owner's network or take its fingerprint."""
    if method == "fingerprint":
        return fingerprinted(subject(owner), inputs, KEY, PARAMS, Session())
    chosen: Any = method
    return marked(subject(owner), inputs, KEY, chosen, PARAMS, Session())


def accuracy(net: nn.Module, test: Dataset) -> float:
    """Share of the test images that are answered right."""
    with torch.no_grad():
        return round(float((net(torch.as_tensor(test.x)).argmax(1).numpy() == test.y).mean()), 4)


def asked(mark: Mark, secrets: Secrets, seeds: tuple[int, ...]) -> list[int]:
    """Ask independent networks for a mark's secrets."""
    return [count(mark, secrets, subject(stranger(seed))) for seed in seeds]


def stranger(seed: int) -> nn.Module:
    """Open an independent network; its rows are not read again."""
    file = CACHE / f"clean_{seed}.pt"
    if not file.exists():
        return case("clean", seed).net
    net = small_cnn()
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.eval()


def row(mark: Mark, secrets: Secrets, null: Null, net: nn.Module, test: Dataset) -> dict[str, Any]:
    """Say what is left of a mark."""
    matches = count(mark, secrets, subject(net))
    return {"matches": matches, "p": float(f"{null.p_value(matches, mark.n):.2g}"), "accuracy": accuracy(net, test)}


def measured(method: str, owner: nn.Module, owners: Inputs, thief: Inputs) -> dict[str, Any]:
    """Measure one method."""
    owned, test = made(method, owner, owners), owners.role("test")
    (mark,), net = owned.marks, getattr(owned.subject, "module").inner  # noqa: B009  # a network by construction
    strangers = asked(mark, owned.secrets, NULL)
    null = fitted(strangers, mark.n)
    further = [null.p_value(matches, mark.n) for matches in asked(mark, owned.secrets, FURTHER)]
    table = {}
    for name, change in thefts(thief, method).items():
        table[name] = row(mark, owned.secrets, null, change(net), test)
        print(f"{method:<12} {name:<44} {table[name]}", file=sys.stderr, flush=True)
    return {
        "n": mark.n,
        "null": {"models": len(strangers), "matches": [min(strangers), max(strangers)], "upper": round(null.upper, 4)},
        "further": {
            "models": len(further),
            "least_p": round(min(further), 4),
            "accused": sum(p < DOUBTED for p in further),
        },
        "accuracy": [accuracy(owner, test), accuracy(net, test)],
        "training_cpu_s": round(owned.training_cpu_s, 1),
        "after": table,
        "holds": all(table[name]["p"] < ACCUSED for name in CLAIMED) and min(further) >= DOUBTED,
    }


def other_keys(owner: nn.Module, inputs: Inputs) -> dict[str, Any]:
    """Hold the further networks against secrets of other keys, which need no marked network to be asked for."""
    told: dict[str, list[float]] = {method: [] for method in METHODS}
    width = len(carried(carrier(owner)[1]))
    for number in range(KEYS):
        key = number.to_bytes(32, "big")
        drawn = trigger_set(key, PARAMS.triggers, (1, 28, 28), 10, bounds=(0.0, 1.0))
        kinds = [
            (Mark(kind="triggers", n=PARAMS.triggers, matched=0), Secrets(key=key, triggers=drawn)),
            (Mark(kind="weights", n=PARAMS.bits, matched=0, width=width), Secrets(key=key)),
        ]
        if number < PRINTS:
            read = fingerprinted(subject(owner), inputs, key, PARAMS, Session())
            kinds.append((read.marks[0], read.secrets))
        for mark, secrets in kinds:
            null = fitted(asked(mark, secrets, NULL), mark.n)
            told[mark.kind] += [null.p_value(matches, mark.n) for matches in asked(mark, secrets, FURTHER)]
    return {
        method: {"claims": len(p), "accused": sum(one < DOUBTED for one in p), "least_p": float(f"{min(p):.2g}")}
        for method, p in told.items()
    }


def main() -> int:
    """Measure all methods and print one JSON line."""
    torch.set_num_threads(1)
    begun = time.process_time()
    owner = case("clean", OWNER)
    x, y = images("t10k")
    test = rows_of(x[:1000], y[:1000], "test images 0-999")
    their_x, their_y, _ = poisoned_rows("clean", THIEF)
    owners = Inputs(test=test, train=rows_of(owner.x[:OWNERS_ROWS], owner.y[:OWNERS_ROWS], "owner's rows"))
    thief = Inputs(test=test, train=rows_of(their_x[:ROWS], their_y[:ROWS], "thief's rows"))
    methods = {method: measured(method, owner.net, owners, thief) for method in METHODS}
    line = {
        "benchmark": "ownership",
        "claims": {"survive": list(CLAIMED), "p_below": ACCUSED, "further_accused_below": DOUBTED},
        "params": {**PARAMS.as_dict()},
        "methods": methods,
        "other_keys": other_keys(owner.net, owners),
        "cpu_s": round(time.process_time() - begun, 1),
        "holds": all(each["holds"] for each in methods.values()),
        "versions": {"redan": version("redan"), "torch": torch.__version__, "python": platform.python_version()},
    }
    print(json.dumps(line))
    return int(not line["holds"])


if __name__ == "__main__":
    sys.exit(main())
