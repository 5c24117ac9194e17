"""Attacks on a running gateway, with and without its monitors: ``nice python benchmarks/live_attack.py [--seeds 3]``.

One gateway is open (no monitor, no playbook, no rate), one is guarded: it has `query-sequence`, `extraction-stream` and
`query-budget` at a rate of 0.01 and the playbooks `evasion-search` and `model-theft`. A third one is bounded: it also
holds each client to 10 rows a second and 20 at once. All serve the same network of scikit-learn on its digits. Each
attacker is a client of its own. Evasion is `redan attack`; a thief asks, and trains a copy on everything
that he was answered by the end. Ordinary clients ask about rows of the same kind all the while. Paced attackers send 20
(evasion) or 10 (theft) requests a second, others as fast as they are answered, in requests as large as may be. One JSON
line for each attack and one for the ordinary clients.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.siege import ASKED, CALIBRATED, Crowd, Siege, besieged, digits, leaked, model

from redan.core.errors import Contained as CutOff
from redan.core.settings import Endpoint
from redan.kernels.attacks.watch import Watch
from redan.kernels.extraction.clone import Pace, probabilities, taught
from redan.kernels.extraction.stealing import augmented
from redan.kernels.statistics import wilson
from redan.service.audit.act import Act
from redan.subjects.http import HttpSubject
from redan.subjects.options import Options

QUERIES = 390
"""Most queries of a thief: as many rows of the model's kind as there are for him."""
BENIGN = tuple(f"shop{number}" for number in range(40))
IDLE = tuple(f"idle{number}" for number in range(80))
"""Who is known and asks nothing: at most a fifth of all clients are held back without a person's word."""
ROWS_EACH = 60
EVASION = {
    "hopskipjump, labels": ("--probe", "hopskipjump", "--norm", "l2", "--eps", "1.0", "--param", "plan=quick"),
    "score-search": ("--probe", "score-search", "--norm", "linf", "--eps", "0.1", "--param", "plan=quick"),
}
IMAGES = 20
ROWS_PER_S, ROWS_BURST = 10, 20
GUARDS = {
    "open": "rows_per_s = 0",
    "guarded": "",
    "bounded": f"rows_per_s = {ROWS_PER_S}\nrows_burst = {ROWS_BURST}",
}
"""Lines of [serve.guards], by gateway."""


@dataclass(kw_only=True)
class Thief:
    """Asks about inputs, and keeps every answer."""

    subject: HttpSubject
    batch: int
    x: list[NDArray[Any]]
    told: list[NDArray[Any]]

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the answers to all of them."""
        answers = []
        for at in range(0, len(x), self.batch):
            part = x[at : at + self.batch]
            answers.append(np.asarray(self.subject.scores(part)))
            self.x.append(part)
            self.told.append(answers[-1])
        return np.concatenate(answers)

    def fidelity(self, seed: int) -> tuple[float, int]:
        """Train a copy on all that was answered; return the share of other rows on which it answers alike, and n."""
        x, told = np.concatenate(self.x), np.concatenate(self.told)
        rows = digits()[0][CALIBRATED]
        has = torch.as_tensor(x, dtype=torch.float32)
        net = taught(x, told, pool=has, pace=Pace(epochs=60), seed=seed, key="copy", watch=Watch())
        copied = probabilities(net, torch.as_tensor(rows)).argmax(dim=1).numpy()
        return float((copied == model().predict(rows)).mean()), len(rows)


def own_kind(ask: Thief, rng: np.random.Generator, seed: int) -> None:
    """Ask about rows of the model's kind."""
    rows = digits()[0][ASKED]
    ask(rows[rng.permutation(len(rows))[:QUERIES]])


def noise(ask: Thief, rng: np.random.Generator, seed: int) -> None:
    """Ask about noise."""
    ask(rng.random((QUERIES, 64)).astype(np.float32))


def grown(ask: Thief, rng: np.random.Generator, seed: int) -> None:
    """Ask about 50 rows, and what grows from them along the copy's gradients."""
    rows = digits()[0][ASKED]
    first = rows[rng.permutation(len(rows))[:50]]
    augmented(ask, first, QUERIES, step=0.1, bounds=(0.0, 1.0), pace=Pace(), seed=seed, watch=Watch())


THEFT: dict[str, Callable[[Thief, np.random.Generator, int], None]] = {
    "theft, rows of the model's kind": own_kind,
    "theft, noise": noise,
    "theft, grown rows (jbda)": grown,
}


def searched(
    siege: Siege, who: str, words: tuple[str, ...], seed: int, *, batch: int, pace_per_s: float
) -> dict[str, Any]:
    """Search adversarial examples; return how many were found among how many rows that the model got right."""
    flags = (*words, "--limit", str(IMAGES), "--seed", str(seed))
    report = siege.attacks(who, *flags, batch=batch, rate_per_s=pace_per_s)
    told = {q["name"]: q for finding in report["findings"] for q in finding["quantities"]}
    reasons = " ".join(report["gate"]["reasons"])
    rate = told.get("attack_success_rate")
    return {
        "fell": None if rate is None else round(rate["value"] * rate["n"]),
        "of": None if rate is None else rate["n"],
        "says_contained": "contained by the service" in reasons,
        "exit": report["exit"],
    }


def stole(siege: Siege, who: str, way: str, seed: int, *, batch: int, pace_per_s: float) -> dict[str, Any]:
    """Steal; return how alike the copy answers."""
    os.environ["STOLEN_KEY"] = siege.keys[who]
    endpoint = Endpoint(token_env="STOLEN_KEY", rate_per_s=pace_per_s)
    subject = HttpSubject(siege.predict, endpoint=endpoint, options=Options(answers="scores"))
    thief = Thief(subject=subject, batch=batch, x=[], told=[])
    cut = False
    try:
        THEFT[way](thief, np.random.default_rng(seed), seed)
    except CutOff:
        cut = True
    finally:
        subject.close()
    cut = cut or len(thief.x) * thief.batch < QUERIES
    value, n = thief.fidelity(seed) if thief.x else (0.0, 0)
    low, high = wilson(round(value * n), n)
    return {"fidelity": round(value, 4), "low": round(low, 4), "high": round(high, 4), "n": n, "cut_off": cut}


def settled(siege: Siege) -> list[Act]:
    """Return the audit log once a second has brought nothing more about attackers."""
    before, acts = -1, siege.acts()
    while (n := sum(act.who.startswith("client:eve") for act in acts)) != before:
        before = n
        time.sleep(1.0)
        acts = siege.acts()
    return acts


def fought(siege: Siege, attack: str, who: str, seed: int, *, paced: bool, gateway: str) -> dict[str, Any]:
    """Run one attack; return its line."""
    guarded, storm = gateway != "open", ROWS_BURST if gateway == "bounded" else 128
    if attack in EVASION:
        batch, pace = (20, 20) if paced else (storm, 0)
        got = searched(siege, who, EVASION[attack], seed, batch=batch, pace_per_s=pace)
    else:
        batch, pace = (10, 10) if paced else (storm, 0)
        got = stole(siege, who, attack, seed, batch=batch, pace_per_s=pace)
    stopped = siege.contained(who, wait_s=20) if guarded else None
    told = leaked(settled(siege), who, stopped)
    line: dict[str, Any] = {
        "attack": attack,
        "paced": paced,
        "gateway": gateway,
        "seed": seed,
        "answered": told.rows,
        **got,
    }
    if guarded:
        line |= {
            "denied": told.refused > 0,
            "contained": stopped is not None,
            "rules": [] if stopped is None else sorted(stopped.rules),
            "until_contained": told.before if stopped is not None else None,
            "first_query_to_containment_s": None if told.took_s is None else round(told.took_s, 2),
            "finding_to_containment_ms": None if stopped is None else round((stopped.done_us - stopped.found_us) / 1e3),
        }
    return line


def attackers(seeds: int, gateway: str) -> Iterator[tuple[str, str, int, bool]]:
    """Return (attack, client, seed, paced); who is stopped by nothing, or bounded, comes as fast as he may alone."""
    number = 0
    for attack in (*EVASION, *THEFT):
        for paced in (True, False) if gateway == "guarded" else (False,):
            for seed in range(seeds):
                yield attack, f"eve{number}", seed, paced
                number += 1


def benign(siege: Siege, crowd: Crowd, gateway: str) -> dict[str, Any]:
    """Return how many ordinary clients were found or refused anything."""
    named = {client for incident in siege.incidents() for client in incident.clients}
    hit = [name for name in crowd.answered if f"client:{name}" in named or crowd.refused[name]]
    low, high = wilson(len(hit), len(crowd.answered))
    return {
        "attack": "none: ordinary clients",
        "gateway": gateway,
        "clients": len(crowd.answered),
        "rows_each": ROWS_EACH,
        "disturbed": len(hit),
        "low": round(low, 4),
        "high": round(high, 4),
        "refused": sum(crowd.refused.values()),
    }


def main() -> None:
    """Write one line for each attack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--gateways", nargs="+", choices=GUARDS, default=list(GUARDS))
    asked = parser.parse_args()
    where = {"machine": f"{platform.machine()} {os.cpu_count()} cores", "at": time.strftime("%Y-%m-%d")}
    for gateway in asked.gateways:
        guarded, planned = gateway != "open", list(attackers(asked.seeds, gateway))
        # nobody is left waiting for a person's word here: what is measured is the way without one
        everybody = (*BENIGN, *IDLE, *(who for _, who, _, _ in planned))
        with (
            TemporaryDirectory() as folder,
            besieged(Path(folder), *everybody, guarded=guarded, guards=GUARDS[gateway], most_clients=100) as siege,
        ):
            with Crowd(siege, BENIGN, rows_each=ROWS_EACH, rate_per_s=40) as crowd:
                for attack, who, seed, paced in planned:
                    line = fought(siege, attack, who, seed, paced=paced, gateway=gateway)
                    print(json.dumps(line | where), flush=True)
            if guarded:
                print(json.dumps(benign(siege, crowd, gateway) | where), flush=True)


if __name__ == "__main__":
    main()
