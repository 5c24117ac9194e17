"""`redan own text`: a text with the mark, one without, and what is no text of a generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from redan.cli.own import command
from redan.core.errors import Unreadable, UsageError
from redan.kernels.text_watermark.green_list import Mark, pushed

WORDS = 400


def run(*words: str) -> Result:
    return CliRunner().invoke(command, list(words), standalone_mode=False)


def text(key: bytes | None, length: int = 200) -> str:
    """Words of a generator that has none it likes better than others, but green ones."""
    draws, tokens = np.random.default_rng(5), [0]
    while len(tokens) < length:
        logits = np.zeros(WORDS)
        if key is not None:
            logits = pushed(Mark(key=key), tokens, logits)
        weights = np.exp(logits)
        tokens.append(int(draws.choice(WORDS, p=weights / weights.sum())))
    return " ".join(f"w{token}" for token in tokens)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key, and the folder of a word tokenizer as transformers keeps it."""
    monkeypatch.chdir(tmp_path)
    assert run("key", "owner.key").exception is None
    model = {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(WORDS)} | {"?": WORDS}, "unk_token": "?"}
    (tmp_path / "model").mkdir()
    whole: dict[str, Any] = {"version": "1.0", "pre_tokenizer": {"type": "Whitespace"}, "model": model}
    for name in ("truncation", "padding", "normalizer", "post_processor", "decoder"):
        whole[name] = None
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps({**whole, "added_tokens": []}))
    (tmp_path / "model" / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return tmp_path


def test_a_marked_text_is_told_from_another(folder: Path) -> None:
    key = bytes.fromhex((folder / "owner.key").read_text())
    (folder / "marked.txt").write_text(text(key))
    (folder / "plain.txt").write_text(text(None))
    told = {}
    for name in ("marked", "plain"):
        ended = run("text", f"{name}.txt", "--key", "owner.key", "--tokenizer", "model", "-f", "json")
        assert ended.exception is None, ended.exception
        (finding,) = json.loads(ended.stdout)["findings"]
        told[name] = (ended.return_value, finding["severity"], finding["quantities"][0]["value"])
    assert told["marked"][:2] == (1, "high")
    assert told["marked"][2] < 1e-6
    assert told["plain"][0] == 0
    assert told["plain"][2] > 1e-3


def test_what_says_nothing_is_refused(folder: Path) -> None:
    (folder / "short.txt").write_text("w1 w2 w3")
    ended = run("text", "short.txt", "--key", "owner.key", "--tokenizer", "model")
    assert isinstance(ended.exception, UsageError)
    (folder / "none").mkdir()
    ended = run("text", "short.txt", "--key", "owner.key", "--tokenizer", "none")
    assert isinstance(ended.exception, Unreadable)
    ended = run("text", "short.txt", "--key", "owner.key", "--tokenizer", "model", "--share", "1.5")
    assert isinstance(ended.exception, UsageError)
