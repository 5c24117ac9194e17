"""Secrets go over HTTPS, or not beyond this machine."""

from __future__ import annotations

import pytest

from redan.core.addresses import keeps_secrets


@pytest.mark.parametrize(
    "url",
    ["https://gateway.example.com", "https://192.0.2.1/x", "http://localhost:8080", "http://LOCALHOST/", "HTTP://127.0.0.1",
     "http://127.9.9.9:1/x", "http://[::1]:8080/x", "http://user@127.0.0.1/"],
)  # fmt: skip
def test_nobody_on_the_way_reads_along(url: str) -> None:
    assert keeps_secrets(url)


@pytest.mark.parametrize(
    "url",
    ["http://gateway.example.com", "http://192.0.2.1:8080", "http://10.0.0.1", "http://localhost.example.com",
     "http://127.0.0.1.example.com", "http://127.0.0.1@192.0.2.1/", "http://[2001:db8::1]/", "http://0.0.0.0/", "http://",
     "https://", "ftp://localhost/", "//localhost/", "localhost", "http://2130706433/", "http://[::1", ""],
)  # fmt: skip
def test_somebody_may_read_along(url: str) -> None:
    assert not keeps_secrets(url)
