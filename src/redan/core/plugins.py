"""Plugins: entry points that redan.toml allows by distribution name, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from redan.core import catalogue
from redan.core.errors import ConfigError, nearest

GROUP = "redan.plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One entry point somebody installed.

    Attributes:
        distribution: name of the installed package that brings it.
        version: its version.
        target: module that would be imported.
        sha256: digest of the distribution's RECORD file, so that a changed plugin is seen; empty if it has none.
        allowed: whether redan.toml names it.
    """

    distribution: str
    version: str
    target: str
    sha256: str
    allowed: bool


def installed(allow: tuple[str, ...]) -> tuple[Plugin, ...]:
    """List installed plugins without importing them (this reads package metadata: about 50 ms)."""
    from hashlib import sha256
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=GROUP):
        dist = point.dist
        name, version = (dist.name, dist.version) if dist else ("unknown", "0")
        record = dist.read_text("RECORD") if dist else None
        digest = sha256(record.encode()).hexdigest() if record else ""
        found.append(
            Plugin(distribution=name, version=version, target=point.value, sha256=digest, allowed=name in allow)
        )
    return tuple(sorted(found, key=lambda p: (p.distribution, p.target)))


def load_allowed(allow: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Import the allowed plugins, so that their probes and writers join the catalogue.

    Raises:
        ConfigError: a name on the allow-list is not installed, or a plugin fails to import.
    """
    if not allow:
        return ()
    from importlib import import_module

    found = installed(allow)
    names = [p.distribution for p in found]
    for name in allow:
        if name not in names:
            near = nearest(name, names)
            raise ConfigError(
                f"[plugins] allow names {name!r}, which is not installed as a Redan plugin",
                hint=f"did you mean {near!r}?" if near else f"pip install {name}, or remove it from the list",
            )
    loaded = tuple(p for p in found if p.allowed)
    for plugin in loaded:
        before = {(e.kind, e.id) for e in catalogue.registered()}
        try:
            import_module(plugin.target.partition(":")[0])
        except (Exception, SystemExit) as err:
            # foreign code can fail in any way, and must neither end the run as "clean" nor as a bug of ours
            raise ConfigError(
                f"plugin {plugin.distribution} {plugin.version} cannot be imported: {type(err).__name__}: {err}",
                hint=f"mend or update it, or remove {plugin.distribution!r} from [plugins] allow",
            ) from err
        for entry in catalogue.registered():
            if (entry.kind, entry.id) not in before:
                catalogue.claim(replace(entry, origin=plugin.distribution))
    return loaded
