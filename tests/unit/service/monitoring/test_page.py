"""What the page on monitoring says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.unit.service.monitoring.receivers import hook
from tests.unit.service.monitoring.test_channels import SECRET, notice

from redan.service.monitoring.families import SERIES
from redan.service.monitoring.webhook import Webhook

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_the_page_names_every_metric_and_no_other() -> None:
    named = set(re.findall(r"`(redan_[a-z_]+)`", PAGE))
    series = {name for name in SERIES if not name.endswith(("_bucket", "_sum", "_count"))}
    assert named == series | {"redan_request_seconds", "redan_batch_rows"}


def test_the_receiver_of_the_page_believes_our_webhook_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_WEBHOOK_SECRET", SECRET)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    with hook() as receiver:
        Webhook(receiver.url).send(notice())
        _, headers, body = receiver.got.get(timeout=5)
    genuine = names["genuine"]
    assert callable(genuine)
    assert genuine(SECRET.encode(), headers, body)
    assert not genuine(SECRET.encode(), headers, body + b" ")
    assert not genuine(b"another secret of 32 characters!", headers, body)
    assert not genuine(SECRET.encode(), headers | {"Redan-Timestamp": "1"}, body)
