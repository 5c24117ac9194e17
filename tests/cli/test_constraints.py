"""[constraints] of redan.toml as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

MODEL = '''
import numpy as np


def model():
    """Approves loans by income, rooms and city."""

    def scores(rows):
        value = 0.6 * rows[:, 1] + rows[:, 2] - 0.05 * rows[:, 0] + 2 * rows[:, 3] - 5
        share = 1 / (1 + np.exp(-value))
        return np.column_stack([1 - share, share])

    return scores
'''
SETTINGS = """
[model]
target = "model.py:model"
[data]
test = "test.csv"
label = "good"
[attack]
eps = 0.2
"""
RULES = """
[constraints]
immutable = ["age"]
integer = ["rooms"]
one_hot = ["city_*"]
only_up = ["income"]
relations = ["income >= 0.1 * rooms"]
[constraints.range]
rooms = [1, 8]
income = [0, inf]
[constraints.cost]
rooms = 2.0
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    city = np.eye(2)[random.integers(0, 2, 20)]
    x = np.column_stack([random.uniform(18, 90, 20), random.integers(1, 9, 20), random.uniform(1, 9, 20), city])
    y = 0.6 * x[:, 1] + x[:, 2] - 0.05 * x[:, 0] + 2 * x[:, 3] > 5
    lines = [",".join(map(str, [*row, "yes" if good else "no"])) for row, good in zip(x.tolist(), y, strict=True)]
    (tmp_path / "test.csv").write_text("\n".join(["age,rooms,income,city_a,city_b,good", *lines]) + "\n")
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "redan.toml").write_text(SETTINGS)
    return tmp_path


def attacked(cli: Cli) -> tuple[int, dict[str, float], str]:
    ended = cli("attack", "model.py:model", "--probe", "square", "--param", "plan=quick", "-f", "json")
    finding = next(f for f in json.loads(ended.out)["findings"] if f["rule"] == "RDN-EVA-020")
    return ended.code, {q["name"]: q["value"] for q in finding["quantities"]}, finding["detail"]


def test_constraints_hold_and_are_told(cli: Cli, project: Path) -> None:
    _, free, _ = attacked(cli)
    (project / "redan.toml").write_text(SETTINGS + RULES)
    _, bound, detail = attacked(cli)
    assert "rows_not_attacked" not in free
    assert bound["rows_not_attacked"] == 0
    assert bound["robust_accuracy"] > free["robust_accuracy"]
    assert "every row that was asked keeps the constraints" in detail


def test_a_name_that_is_no_column_gets_the_nearest(cli: Cli, project: Path) -> None:
    (project / "redan.toml").write_text(SETTINGS + '[constraints]\ninteger = ["romms"]\n')
    ended = cli("attack", "model.py:model")
    assert ended.code == 2
    assert "romms" in ended.err
    assert "did you mean 'rooms'" in ended.err


def test_a_key_that_does_not_exist_gets_the_nearest(cli: Cli, project: Path) -> None:
    (project / "redan.toml").write_text(SETTINGS + '[constraints]\nonehot = ["city_*"]\n')
    ended = cli("attack", "model.py:model")
    assert ended.code == 2
    assert "one_hot" in ended.err


def test_constraints_of_images_are_refused(cli: Cli, project: Path) -> None:
    (project / "redan.toml").write_text('[constraints]\ninteger = ["0"]\n')
    np.savez(project / "images.npz", x=np.zeros((3, 1, 4, 4), np.float32), y=np.arange(3))
    ended = cli("attack", "model.py:model", "--data", "images.npz")
    assert ended.code in {2, 3}
    assert "constraints are for tables" in ended.err


def test_init_suggests_what_the_rows_show_and_the_suggestion_can_be_used(cli: Cli, project: Path) -> None:
    assert cli("init", "--force").code == 0
    written = (project / "redan.toml").read_text()
    assert '# integer = ["rooms"]' in written
    assert '# one_hot = [["city_a", "city_b"]]' in written
    rules = written[written.index("# [constraints]") :].replace("# ", "")
    (project / "redan.toml").write_text(SETTINGS + rules)
    assert attacked(cli)[1]["rows_not_attacked"] == 0
