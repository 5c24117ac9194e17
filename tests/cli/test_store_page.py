"""The commands of the page about the store, run as they stand there, one after another in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "store.md"
BLOCK = re.compile(r"^```(bash|toml)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def test_the_page_works_as_it_stands(tmp_path: Path, hostile: Path) -> None:
    (tmp_path / "models").mkdir()
    hostile.rename(tmp_path / "models" / "hostile.pkl")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REDAN_")}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    said = []
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "toml":
            (tmp_path / "redan.toml").write_text(text, encoding="utf-8")
            continue
        for line in text.splitlines():
            done = subprocess.run(
                ["bash", "-c", line], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == (1 if line.startswith("redan scan") else 0), (line, done.stderr)
            said.append(done.stdout + done.stderr)
    assert len(said) == 9
    assert "FAIL" in said[4]
    assert "made a new key at file:new.key" in said[5]
    assert "restored the store of" in said[8]
    assert (tmp_path / "restored.db").is_file()
