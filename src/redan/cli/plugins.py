"""Let the plugins that the nearest redan.toml allows join the catalogue."""

from __future__ import annotations

import os
from pathlib import Path

from redan.core import config
from redan.core.plugins import load_allowed


def allowed() -> tuple[str, ...]:
    """Return the distributions that the settings in force allow."""
    file = config.find(Path.cwd())
    return config.load(file=file, root=Path.cwd(), environ=os.environ).settings.plugins.allow


def join_catalogue() -> None:
    """Import what is allowed; without an allow-list nothing is looked for."""
    load_allowed(allowed())
