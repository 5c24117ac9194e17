"""What a gateway measured is asked with a token, which goes where nobody reads along."""

from __future__ import annotations

import pytest

from redan.core.errors import ConfigError
from redan.core.settings_service import Update
from redan.service.registry import measured


@pytest.mark.parametrize("gateway", ["http://192.0.2.1:8080", "http://gateway.example.com"])
def test_a_token_does_not_cross_the_network_in_the_clear(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_TOKEN", "secret")
    with pytest.raises(ConfigError, match="in the clear") as refused:
        measured._asked(Update(gateway=gateway, token_env="REDAN_TOKEN"), "fraud")
    assert "secret" not in refused.value.diagnostics()
