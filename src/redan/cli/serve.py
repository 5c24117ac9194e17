"""`redan serve`: the gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.core import config as configuration
from redan.core.errors import ConfigError

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.service.assembly import Service


@click.command("serve")
@click.option("--config", type=click.Path(path_type=Path), help="A redan.toml other than the nearest.")
@click.option("--address", metavar="HOST:PORT", help="Where to listen; [serve] address else. Port 0 takes a free one.")
@click.option("--shared-port", is_flag=True, help="Let other replicas on this machine listen on the same port.")
@click.option("--check", is_flag=True, help="Judge every model as it would be served, say why, and stop.")
def command(config: Path | None, address: str | None, shared_port: bool, check: bool) -> int:
    """Serve the models of [[serve.models]]: only those whose statements meet [admission], every guard on.

    \b
    redan identity init
    redan serve
    """
    found = config or configuration.find(Path.cwd())
    flags = {"serve.address": address}
    read = configuration.load(file=found, root=Path.cwd(), environ=os.environ, flags=flags)
    if not read.settings.serve.models:
        place = str(found) if found else "a redan.toml, which is not here nor in a folder above"
        raise ConfigError(
            f"there is no model to serve: [[serve.models]] is missing in {place}", hint="redan init --serve"
        )
    import asyncio

    import uvloop

    from redan.service.assembly import assemble

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(read, assemble(read), shared_port=shared_port, check=check))


async def _serve(config: Config, service: Service, *, shared_port: bool, check: bool) -> int:
    from redan.service.gateway.server import GatewayServer, open_socket, serve

    settings = config.settings.serve
    async with service:
        served, refused = service.parts.models.all(), service.parts.models.refused()
        for one, role in served:
            sys.stderr.write(f"{one.label} is admitted, {role}: {one.digest[:16]}…\n")
        for name, version, why in refused:
            sys.stderr.write(f"{name}@{version} is refused: {why}\n")
        if check or not served:
            return 1 if refused or not served else 0
        server = GatewayServer(
            service.plane,
            settings,
            root=config.root,
            refused=service.plane.refused_at_door,
            draining=service.drain,
        )
        host = settings.address.rpartition(":")[0]
        scheme = "https" if settings.tls.certificate else "http"
        await serve(
            server,
            open_socket(settings.address, shared=shared_port),
            told=lambda port: _tell(f"{scheme}://{host}:{port}"),
        )
    return 0


def _tell(url: str) -> None:
    # at once, so that whoever started it can wait for this line
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
