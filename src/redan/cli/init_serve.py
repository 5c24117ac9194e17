"""What `redan init --serve` writes: the tables of the gateway, and an example that trains a small model to serve."""

from __future__ import annotations

import re
import tomllib

from redan.core.errors import UsageError

WANTED = ("admission", "serve", "incidents")
DETECTOR = "query-sequence.npz"
"""Where `redan calibrate query-sequence` writes."""


def tables(name: str, target: str, data: str) -> str:
    """Return the tables of redan.toml that let one sealed model be served, watched and protected.

    Args:
        name: of the project; clients call the model so.
        target: the model.
        data: rows of normal use; empty where none are known, and then neither robustness nor a detector is asked for.
    """
    from redan.cli.init import quoted

    lines = ["", "# Only a model that this key vouches for is served: redan key new, redan seal, redan serve --check"]
    lines += ["[admission]", 'keys = ["seal.key.pub"]', "", "[[admission.require]]", 'statement = "scan"']
    lines += ["", "[[admission.require]]", 'statement = "robustness"'] if data else []
    sample = data if data.endswith((".npz", ".csv")) else ""
    lines += ["", "[serve]", 'address = "127.0.0.1:8080"', "", "[[serve.models]]"]
    lines += [f"name = {quoted(called(name))}", f"target = {quoted(target)}"]
    lines += [f"sample = {quoted(sample)}"] if sample else []
    lines += [f"detectors = [{quoted(DETECTOR)}]  # redan calibrate makes it"] if sample else []
    lines += ["", "[incidents]", 'level = "medium"']
    lines += ['automatic = ["model-theft", "evasion-search"]  # whom a monitor finds is slowed down at once']
    return "\n".join(lines) + "\n"


def called(name: str) -> str:
    """Return a name that fits into an address."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-") or "model"


def extended(text: str, name: str, target: str, data: str) -> str:
    """Add the tables to a redan.toml that has none of them.

    Args:
        text: what it holds.
        name: of the project.
        target: the model, where it names none.
        data: the data, where it names none.

    Raises:
        UsageError: it is no TOML, has one of the tables already, or there is no model to serve.
    """
    try:
        known = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise UsageError(f"redan.toml is no TOML: {err}") from err
    present = [table for table in WANTED if table in known]
    if present:
        raise UsageError(
            f"redan.toml has [{present[0]}] already", hint="redan serve --check says what is missing still"
        )
    target = str(known.get("model", {}).get("target", "")) or target
    if not target:
        raise UsageError(
            "there is no model to serve here", hint="redan init, then name it in redan.toml: [model] target"
        )
    name = str(known.get("project", {}).get("name", "")) or name
    return text.rstrip("\n") + "\n" + tables(name, target, str(known.get("data", {}).get("test", "")) or data)


NEXT = """\
      redan check --quick
      redan key new seal.key
      redan seal latest --model {target} --key seal.key
      redan calibrate query-sequence
      redan identity init
      redan serve
"""

TRAIN = '''\
"""Train a small network on scikit-learn's digits; write model.joblib, train.npz, test.npz and a request, rows.json."""

import json

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

digits = load_digits()
x, y = (digits.data / 16).astype(np.float32), digits.target
model = MLPClassifier((64,), alpha=1.0, tol=1e-3, n_iter_no_change=3, random_state=0).fit(x[797:], y[797:])
joblib.dump(model, "model.joblib")
np.savez("train.npz", x=x[797:], y=y[797:])
np.savez("test.npz", x=x[:797], y=y[:797])
with open("rows.json", "w") as file:
    json.dump({"x": x[:2].tolist()}, file)
print(f"right on {model.score(x[:797], y[:797]):.1%} of test.npz")
'''
