"""`redan run` on the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

from redan.subjects.sandbox import confinement

pytestmark = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")


def test_stdout_is_the_commands_and_stderr_tells_the_rest(
    spawn: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code = "import sys; open('out/m', 'w').write('x'); print('trained'); sys.exit(len(sys.argv) - 1)"
    done = spawn("run", "--write", "out", "--param", "lr=0.1", "--", sys.executable, "-c", code)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (0, "trained\n")
    assert "output out/m  sha256 " in err
    assert "not signed" in err
    done = spawn("run", "--write", "out", "--", sys.executable, "-c", code, "--flag")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (1, "trained\n")
    assert "ended with 1" in err


def test_a_signed_run_is_verified_by_policy(cli: Cli, tmp_path: Path) -> None:
    cli("key", "new", "a.key")
    (tmp_path / "redan.toml").write_text(
        '[admission]\nkeys = ["a.key.pub"]\n[[admission.require]]\nstatement = "provenance"\n', encoding="utf-8"
    )
    words = (sys.executable, "-c", "open('out/m', 'w').write('x')")
    assert cli("run", "--write", "out", "--key", "a.key", "--", *words).code == 0
    ended = cli("verify", "out")
    assert ended.code == 0, ended.out + ended.err
    (tmp_path / "out/m").write_text("other", encoding="utf-8")
    assert cli("verify", "out").code == 1


def test_wrong_words_are_told(cli: Cli) -> None:
    assert cli("run").code == 2
    assert cli("run", "--param", "x", "--", sys.executable).code == 2
    assert cli("run", "--", "no-such-program").code == 2
