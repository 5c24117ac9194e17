"""How many questions and how much CPU text attacks take: ``python benchmarks/text_attacks.py [TEXTS]``.

Data: first sentences of docstrings of five installed libraries, the class is the library (its own name is removed).
The model: words weighed by TF-IDF and a logistic regression. Redan's edits of characters run beside a plain
DeepWordBug as its paper states it (rank each word by leaving it out, then one drawn swap, substitution, deletion or
insertion of each word in that order until the class changes): our own restatement, asking one text at a time.
TextAttack, which has the authors' recipe, is not among the peers: its requirements could not all be installed. Both
may change at most five words. Then the edits are repeated against the normalised and the augmented model.
"""

from __future__ import annotations

import ast
import json
import platform
import re
import string
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import redan
from redan.kernels.statistics import wilson
from redan.kernels.text_attacks.slots import slots

LIBRARIES = ("numpy", "scipy", "sklearn", "pandas", "torch")
EACH = 600
LONGEST_WORDS = 60
SHORTEST_WORDS = 20
WORDS = 5


def docstrings(library: str) -> list[str]:
    """Return docstrings of a library in a drawn order, its name removed."""
    found: set[str] = set()
    for path in sorted((Path(sysconfig.get_paths()["purelib"]) / library).rglob("*.py")):
        if "test" not in path.name and len(found) < 4 * EACH:
            tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
            for node in ast.walk(tree):
                text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
                words = re.sub(r"[^A-Za-z',. ]", " ", text or "").split()[:LONGEST_WORDS]
                if len(words) >= SHORTEST_WORDS:
                    found.add(re.sub(rf"(?i)\b({library}|np|pd|scikit|pytorch)\b", "it", " ".join(words)))
    texts = sorted(found)
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:EACH]]


def data() -> tuple[list[str], list[str], list[str], list[str]]:
    """Return training texts and labels, test texts and labels."""
    rows = [(text, library) for library in LIBRARIES for text in docstrings(library)]
    rows = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    cut = 2 * len(rows) // 3
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    return texts[:cut], labels[:cut], texts[cut:], labels[cut:]


def plain_deep_word_bug(model: Any, texts: list[str], labels: list[str]) -> dict[str, float]:
    """Attack one text at a time, as the paper says it."""
    draw, column = np.random.default_rng(0), {label: at for at, label in enumerate(model.classes_)}
    begun, queries, kept = time.process_time(), 0, 0

    def asked(text: str, label: str) -> tuple[float, bool]:
        nonlocal queries
        queries += 1
        shares = model.predict_proba([text])[0]
        return float(shares[column[label]]), bool(model.classes_[shares.argmax()] == label)

    for text, label in zip(texts, labels, strict=True):
        parts, changes = slots(text), dict[int, str]()
        right = asked(text, label)[1]
        drops = [-asked(parts.joined({at: ""}), label)[0] for at in range(len(parts.words))] if right else []
        for at in sorted(range(len(drops)), key=lambda at: -drops[at])[:WORDS]:
            changes[at] = one_edit(parts.words[at], draw)
            right = asked(parts.joined(changes), label)[1]
            if not right:
                break
        kept += right
    return {"robust": kept / len(texts), "queries": queries, "cpu_s": round(time.process_time() - begun, 2)}


def one_edit(word: str, draw: np.random.Generator) -> str:
    """Swap, substitute, delete or insert one letter."""
    if len(word) < 3:
        return word
    at, kind = int(draw.integers(1, len(word) - 1)), int(draw.integers(4))
    letter = string.ascii_lowercase[int(draw.integers(26))]
    swapped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    edited = (swapped, word[:at] + letter + word[at + 1 :], word[:at] + word[at + 1 :], word[:at] + letter + word[at:])
    return edited[kind]


def measured(net: Any, **more: Any) -> dict[str, float]:
    """Attack with Redan's edits of characters."""
    begun = time.process_time()
    report = redan.attack(net, probes=["text-characters"], words=WORDS, share=1.0, **more)
    names = ("robust_accuracy", "clean_accuracy", "queries", "calls")
    numbers = {name: report.quantity(name, rule="RDN-EVA-035").value for name in names}
    return {**numbers, "cpu_s": round(time.process_time() - begun, 2)}


def main(n: int) -> int:
    """Measure and print one JSON line."""
    train, train_labels, test, labels = data()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=300)).fit(train, train_labels)
    test, labels = test[:n], labels[:n]
    net = redan.subject(model, data=(test, labels), train=(train, train_labels))
    ours = {kinds: measured(net, kinds=kinds) for kinds in ("typos", "all")}
    plain = plain_deep_word_bug(model, test, labels)
    hardened = {name: measured(applied(net, name), kinds="all") for name in ("text-normalisation", "text-augmentation")}
    low, high = wilson(round(ours["typos"]["robust_accuracy"] * len(test)), len(test))
    line = {
        "benchmark": "text_attacks",
        "n": len(test),
        "words": WORDS,
        "redan": ours,
        "redan_typos_interval": [round(low, 3), round(high, 3)],
        "plain_deep_word_bug": plain,
        "cpu_ratio": round(plain["cpu_s"] / ours["typos"]["cpu_s"], 1),
        "calls_ratio": round(plain["queries"] / ours["typos"]["calls"], 1),
        "hardened": hardened,
        "holds": ours["typos"]["robust_accuracy"] <= plain["robust"],
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("scikit-learn", "numpy")},
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if line["holds"] else 1


def applied(net: Any, name: str) -> Any:
    """Return the target with one mitigation applied, whatever it is worth."""
    from dataclasses import replace

    from redan.core import catalogue
    from redan.core.budget import Budget
    from redan.core.progress import SILENT

    made = catalogue.load(catalogue.entry("mitigation", name))
    subject = made().apply(
        net.subject, net.inputs, made.Params.subset({"texts": 300}), budget=Budget(), seed=0, observe=SILENT
    )
    return replace(net, subject=subject)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
