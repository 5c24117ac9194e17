"""A gateway of its own process with a small sealed model and calibrated monitors, and what clients got out of it.

The model is a network of scikit-learn on its digits. Rows that it was trained on, rows that monitors were calibrated on
and rows that clients ask about are three different parts.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from tests.gateway_process import CALM, started
from tests.served import seal_scan

from redan.core import config as configuration
from redan.evidence.keys import generate, save
from redan.evidence.log.reading import LogReader
from redan.runner.calibrate import calibrate
from redan.service.audit.act import Act, decode
from redan.service.audit.places import log_folder
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.roles import roles_of
from redan.service.incidents import timeline
from redan.service.incidents.incident import Incident

TRAINED, CALIBRATED = slice(797, None), slice(0, 400)
ASKED = slice(400, 797)
"""Rows that neither the model nor a monitor has seen."""
DETECTORS = ("query-sequence", "extraction-stream", "query-budget")
_SETTINGS = """
[data]
test = "calibration.npz"
train = "train.npz"
[admission]
keys = ["seal.key.pub"]
[[admission.require]]
statement = "scan"
[serve]
address = "127.0.0.1:0"
name = "r1"
[[serve.models]]
name = "digits"
target = "model.joblib"
sample = "calibration.npz"
detectors = {detectors}
[serve.guards]
{guards}
[serve.limits]
{limits}
[audit]
mode = "async"
keep = "{keep}"
[incidents]
level = "medium"
automatic = {automatic}
most_clients = {most_clients}
"""


@cache
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return x (1797, 64) from 0 to 1, and y (1797,)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.data / 16).astype(np.float32), data.target.astype(np.int64)


@cache
def model() -> Any:
    """Train the network."""
    from sklearn.neural_network import MLPClassifier

    x, y = digits()
    kind = MLPClassifier((64,), alpha=1.0, tol=1e-3, n_iter_no_change=3, random_state=0)
    return kind.fit(x[TRAINED], y[TRAINED])


@dataclass(kw_only=True)
class Siege:
    """A project with a gateway.

    Attributes:
        folder: its files.
        url: where the gateway listens while it runs.
        keys: of clients, by name.
    """

    folder: Path
    url: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def predict(self) -> str:
        """The address of predictions."""
        return f"{self.url}/v1/models/digits/predict"

    def clients(self, *names: str) -> None:
        """Add clients, and a key for each."""
        config = configuration.load(file=self.folder / "redan.toml", root=self.folder, environ={})
        database = open_database(config.settings.serve.database, root=self.folder)
        roles = roles_of(config.settings.identity)
        with database.writing() as connection:
            for name in names:
                directory.add(connection, f"client:{name}", by="siege")
                directory.grant(connection, roles, f"client:{name}", "client", by="siege")
                self.keys[name] = keys.make(connection, f"client:{name}", by="siege")[1]
        database.close()

    @contextmanager
    def gateway(self) -> Iterator[None]:
        """Run the gateway as a process."""
        with started(self.folder) as (_, self.url):
            yield

    def attacks(
        self, who: str, *words: str, batch: int = 128, rate_per_s: float = 0.0, reference: str = ""
    ) -> dict[str, Any]:
        """Run ``redan attack`` against the gateway as a client.

        Args:
            who: the client.
            words: flags.
            batch: rows in a request.
            rate_per_s: requests a second; 0 for as many as are answered.
            reference: what the attacker has beside test rows.

        Returns:
            Its report, and its exit code as ``exit``.
        """
        environ = {**os.environ, **CALM, "STOLEN_KEY": self.keys[who], "REDAN_ENDPOINT_TOKEN_ENV": "STOLEN_KEY"}
        environ |= {"REDAN_ENDPOINT_BATCH": str(batch), "REDAN_ENDPOINT_RATE_PER_S": str(rate_per_s)}
        environ |= {"REDAN_DATA_REFERENCE": str(self.folder / reference)} if reference else {}
        folder = self.folder / who
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "redan.cli", "attack", self.predict, "--data", "../asked.npz"]
        done = subprocess.run(
            [*command, *words, "--format", "json"], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report | {"exit": done.returncode}

    def acts(self) -> list[Act]:
        """Return what the audit log holds, oldest first."""
        config = configuration.load(file=self.folder / "redan.toml", root=self.folder, environ={})
        return [decode(entry) for entry in LogReader(log_folder(config.settings, self.folder, "r1")).entries()]

    def runs(self, line: str) -> dict[str, Any]:
        """Run a line that calls redan, in the project's folder, and return its report."""
        command = [sys.executable, "-m", "redan.cli", *shlex.split(line)[1:], "--format", "json"]
        done = subprocess.run(
            command, cwd=self.folder, env={**os.environ, **CALM}, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def incidents(self) -> list[Incident]:
        """Return the incidents, with their timelines."""
        config = configuration.load(file=self.folder / "redan.toml", root=self.folder, environ={})
        database = open_database(config.settings.serve.database, root=self.folder)
        with database.reading() as connection:
            found = [timeline.read(connection, each.number) for each in timeline.listed(connection)]
        database.close()
        return found

    def contained(self, who: str, *, wait_s: float = 0.0) -> Contained | None:
        """Return what contained a client, waiting for it for a while."""
        ends_s = time.monotonic() + wait_s
        while True:
            for each in self.incidents():
                if found := _contained(each, f"client:{who}"):
                    return found
            if time.monotonic() > ends_s:
                return None
            time.sleep(0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """What stopped a client.

    Attributes:
        rules: of the findings that named it.
        found_us: when the first of them was written down.
        done_us: when a step of a playbook had held it back.
        incident: in which.
    """

    rules: frozenset[str]
    found_us: int
    done_us: int
    incident: Incident


def _contained(incident: Incident, client: str) -> Contained | None:
    findings = [entry for entry in incident.entries if entry.body.get("client") == client and entry.body.get("rule")]
    steps = [
        entry
        for entry in incident.entries
        if entry.body.get("do") == "throttle" and client in entry.body.get("targets", ()) and "until_us" in entry.body
    ]
    if not findings or not steps:
        return None
    return Contained(
        rules=frozenset(entry.body["rule"] for entry in findings),
        found_us=findings[0].t_us,
        done_us=steps[0].t_us,
        incident=incident,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaked:
    """What a client was answered.

    Attributes:
        rows: answered in all.
        before: answered until it was contained; all of them where it never was.
        after: answered since.
        refused: requests that were refused.
        took_s: from its first request to containment; None where it was not.
    """

    rows: int
    before: int
    after: int
    refused: int
    took_s: float | None


def leaked(acts: Sequence[Act], who: str, stopped: Contained | None) -> Leaked:
    """Count a client's answers in the audit log, before and after its containment."""
    own = [act for act in acts if act.who == f"client:{who}" and act.act == "predict"]
    until_us = None if stopped is None else stopped.done_us
    good = [act for act in own if act.ok]
    before = sum(act.rows for act in good if until_us is None or act.t_us <= until_us)
    total = sum(act.rows for act in good)
    took_s = None if until_us is None or not own else (until_us - own[0].t_us) / 1e6
    return Leaked(rows=total, before=before, after=total - before, refused=len(own) - len(good), took_s=took_s)


@contextmanager
def besieged(
    folder: Path, *clients: str, guarded: bool = True, detectors: Sequence[str] = DETECTORS, guards: str = "",
    limits: str = "", most_clients: int = 20, keep: str = "digests",
) -> Iterator[Siege]:  # fmt: skip
    """Write a project, run its gateway, and give it with its clients.

    Args:
        folder: new.
        *clients: names.
        guarded: whether monitors watch and playbooks run; without, the same gateway is open to everything.
        detectors: monitors that are calibrated.
        guards: further lines of [serve.guards].
        limits: lines of [serve.limits].
        most_clients: how many are held back without a person's word.
        keep: what the audit log holds of a request.
    """
    import joblib

    x, y = digits()
    joblib.dump(model(), folder / "model.joblib")
    for name, part in (("train", TRAINED), ("calibration", CALIBRATED), ("asked", ASKED)):
        np.savez(folder / f"{name}.npz", x=x[part], y=y[part])
    noise = np.random.default_rng(0).random((400, 64)).astype(np.float32)
    np.savez(folder / "noise.npz", x=noise, y=np.zeros(400, np.int64))
    seal = generate("ed25519")
    save(seal, folder / "seal.key")
    seal_scan(folder / "model.joblib", key=seal)
    watched = [f"{name}.npz" for name in detectors] if guarded else []
    text = _SETTINGS.format(
        detectors=json.dumps(watched),
        automatic=json.dumps(["model-theft", "evasion-search"] if guarded else []),
        guards=guards + ("" if guarded else "\nmonitors = false"),
        limits=limits,
        most_clients=most_clients,
        keep=keep,
    )
    (folder / "redan.toml").write_text(text, encoding="utf-8")
    flags = {"model.target": "model.joblib"}
    config = configuration.load(file=folder / "redan.toml", root=folder, environ={}, flags=flags)
    for name in detectors if guarded else ():
        calibrate(config, name, folder / f"{name}.npz", rate=0.01, budget_us=None)
    siege = Siege(folder=folder)
    siege.clients(*clients)
    with siege.gateway():
        yield siege


class Crowd:
    """Benign clients that ask about ordinary rows, each at its own pace, while something else goes on.

    Args:
        siege: where.
        names: of the clients.
        rows_each: how many rows each asks about.
        rate_per_s: requests of all together.
        seed: of what they ask.
    """

    def __init__(
        self, siege: Siege, names: Sequence[str], *, rows_each: int, rate_per_s: float = 200.0, seed: int = 0
    ) -> None:
        self.answered = dict.fromkeys(names, 0)
        self.refused = dict.fromkeys(names, 0)
        self._siege, self._rows, self._seed, self._pause_s = siege, rows_each, seed, 1 / rate_per_s
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Crowd:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everybody has asked everything."""
        self._thread.join()

    def _ask(self) -> None:
        rng = np.random.default_rng(self._seed)
        x, _ = digits()
        own = x[ASKED]
        picked = {name: rng.choice(len(own), self._rows, replace=False) for name in self.answered}
        turns = [(name, at) for at in range(self._rows) for name in self.answered]
        with httpx.Client() as client:
            for name, at in turns:
                body = {"x": own[picked[name][at] : picked[name][at] + 1].tolist()}
                said = client.post(
                    self._siege.predict, json=body, headers={"Authorization": f"Bearer {self._siege.keys[name]}"}
                )
                (self.answered if said.status_code == 200 else self.refused)[name] += 1
                time.sleep(self._pause_s)
