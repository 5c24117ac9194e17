"""Write src/redan/core/manifest.json from what the package registers: ``python scripts/manifest.py [--check]``.

Everything that registers an entry is imported once here, so that `redan list`, `redan explain` and `--help` never have
to. With ``--check`` nothing is written and the exit code tells whether the file is up to date.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

from redan.core import catalogue

ROOMS = ("redan.threats", "redan.reports", "redan.federated", "redan.confidential")
"""Packages whose modules may register something; a room that does not exist yet is passed over."""


def import_rooms() -> None:
    """Import every module of every room, so that its decorators run."""
    for name in ROOMS:
        if (room := _room(name)) is None:
            continue
        for module in pkgutil.walk_packages(room, f"{name}."):
            import_module(module.name)


def _room(name: str) -> list[str] | None:
    try:
        return list(import_module(name).__path__)
    except ModuleNotFoundError as err:
        if err.name == name:
            return None
        raise


def main(arguments: list[str]) -> int:
    """Write the manifest, or compare it when ``--check`` is given; return the exit code."""
    import_rooms()
    text = catalogue.render_manifest(catalogue.registered())
    current = catalogue.MANIFEST.read_text(encoding="utf-8") if catalogue.MANIFEST.exists() else ""
    if text == current:
        return 0
    if "--check" in arguments:
        print("src/redan/core/manifest.json is out of date; run `make manifest`", file=sys.stderr)
        return 1
    catalogue.MANIFEST.write_text(text, encoding="utf-8")
    print(f"manifest: {len(catalogue.registered())} entries")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
