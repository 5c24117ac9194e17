"""`redan bom fix` as a user meets it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

OSV = Path(__file__).parents[1] / "unit" / "kernels" / "advisories" / "osv.jsonl"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three vulnerable packages, one of which nobody has mended."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "requirements.txt").write_text(
        "torch==2.5.1\nmlflow==2.0.0\npy==1.11.0\nnumpy==2.0\n", encoding="utf-8"
    )
    return tmp_path / "p"


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """Write a wheel that holds nothing but its metadata."""
    folder.mkdir(exist_ok=True)
    rows = [f"Requires-Dist: {need}" for need in needs]
    metadata = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *rows]) + "\n\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)


def pins(text: str) -> list[str]:
    return [line.partition("  #")[0] for line in text.splitlines() if not line.startswith("#")]


def test_the_lowest_versions_that_clear_everything_are_proposed(cli, project: Path, tmp_path: Path) -> None:
    done = cli("bom", "fix", project, "--osv", OSV, "-o", tmp_path / "c.txt")
    assert done.code == 1
    assert pins((tmp_path / "c.txt").read_text(encoding="utf-8")) == ["mlflow==2.9.2", "torch==2.6.0"]
    assert "torch: write 2.6.0 in requirements.txt line 1: an exact version is asked for there" in done.err
    assert "py 1.11.0 keeps CVE-2022-42969: no record names a fixed version" in done.err
    assert "known vulnerabilities: 3 before, 1 after 2 upgrades; 9 records, newest 2026-11-19" in done.err


def test_everything_cleared_is_exit_code_0_and_the_file_is_what_pip_reads(cli, project: Path) -> None:
    from redan.kernels.packages.requirements_txt import read_requirements

    (project / "requirements.txt").write_text("torch==1.12\n", encoding="utf-8")
    done = cli("bom", "fix", project, "--osv", OSV)
    assert done.code == 0
    (package,) = read_requirements(done.out, "constraints.txt", constraints=True).packages
    assert (package.name, package.version) == ("torch", "2.6.0")
    assert "CVE-2022-45907, CVE-2025-32434" in done.out


def test_bounds_of_the_project_are_respected_and_named(cli, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\ndependencies = ["torch<2.6", "mlflow>=2"]\n', encoding="utf-8"
    )
    done = cli("bom", "fix", project, "--osv", OSV)
    assert pins(done.out) == ["mlflow==2.9.2"]
    assert "torch 2.5.1 keeps CVE-2025-32434: torch <2.6 (pyproject.toml line 4) leaves out 2.6.0" in done.err


def test_wheels_decide_what_exists_and_what_fits_together(cli, project: Path, tmp_path: Path) -> None:
    (project / "requirements.txt").write_text("torch==2.5.1\nvision==0.20\nmlflow==2.0.0\n", encoding="utf-8")
    wheels = tmp_path / "wheels"
    for torch, vision in (("2.5.1", "0.20"), ("2.6.0", "0.21"), ("2.7.0", "0.22")):
        wheel(wheels, "torch", torch)
        wheel(wheels, "vision", vision, f"torch=={torch}", "other>1; extra == 'all'")
    (wheels / "torch-2.6.0-py3-none-any.whl").unlink()
    (wheels / "bad-1.0-py3-none-any.whl").write_bytes(b"PK no archive")
    done = cli("bom", "fix", project, "--osv", OSV, "--wheels", wheels)
    assert pins(done.out) == ["torch==2.7.0", "vision==0.22"]
    assert "vision==0.22  # was 0.20: fits the others" in done.out
    assert "mlflow 2.0.0 keeps CVE-2023-6909: the folder of wheels has no fixed version" in done.err
    assert "not read: bad-1.0-py3-none-any.whl" in done.err


def test_what_others_ask_for_can_keep_a_vulnerability(cli, project: Path, tmp_path: Path) -> None:
    (project / "requirements.txt").write_text("torch==2.5.1\nvision==0.20\n", encoding="utf-8")
    wheel(tmp_path / "w", "torch", "2.6.0")
    wheel(tmp_path / "w", "vision", "0.20", "torch==2.5.1")
    done = cli("bom", "fix", project, "--osv", OSV, "--wheels", tmp_path / "w")
    assert (done.code, pins(done.out)) == (1, [])
    assert "what other packages ask for leaves out every version that clears it" in done.err


def test_the_proposal_is_clean_when_it_is_scanned_again(cli, project: Path) -> None:
    (project / "requirements.txt").write_text("torch==2.5.1\nmlflow==2.0.0\n", encoding="utf-8")
    before = cli("scan", project, "--probe", "vulnerabilities", "--osv", OSV, "-q")
    assert before.code == 1
    done = cli("bom", "fix", project, "--osv", OSV)
    (project / "requirements.txt").write_text(done.out, encoding="utf-8")
    assert cli("scan", project, "--probe", "vulnerabilities", "--osv", OSV, "-q").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--osv", "absent.zip"], "cannot read the OSV dump"),
        (["--osv", OSV, "--wheels", "absent"], "is no folder"),
        (["--osv", OSV, "--env", "absent"], "no installed distributions"),
    ],
)
def test_what_is_not_there_is_said(cli, project: Path, words: list[str], message: str) -> None:
    done = cli("bom", "fix", project, *words)
    assert done.code == 3
    assert message in done.err


def test_a_project_without_exact_versions_cannot_be_decided(cli, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch>=2\n", encoding="utf-8")
    assert cli("bom", "fix", tmp_path, "--osv", OSV).code == 3


def test_a_dump_in_the_settings_starts_where_they_lie(cli, project: Path) -> None:
    (project.parent / "osv.jsonl").write_bytes(OSV.read_bytes())
    (project.parent / "redan.toml").write_text('[scan]\nosv = "osv.jsonl"\nlicences = ["MIT"]\n', encoding="utf-8")
    done = cli("scan", project, "--probe", "vulnerabilities", "--format", "json")
    assert done.code == 1
    assert "CVE-2025-32434" in done.out
