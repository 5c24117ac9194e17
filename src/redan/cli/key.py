"""`redan key`: key pairs for signing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from redan.core.errors import UsageError


@click.group("key")
def command() -> None:
    """Make key pairs for `redan sign` and `redan seal`."""


@command.command("new")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["p256", "p384", "p521", "ed25519"]),
    default="p256",
    show_default=True,
    help="Curve; Ed25519 signs statements and logs, not models.",
)
@click.option("--password-env", metavar="VAR", help="Environment variable with the password to encrypt it with.")
def new(path: Path, kind: str, password_env: str | None) -> int:
    """Write a private key to PATH, readable by you alone, and its public key to PATH.pub.

    \b
    redan key new signing.key
    redan key new signing.key --kind p384 --password-env KEY_PASSWORD
    """
    from redan.evidence.keys import generate, save

    signer = generate(kind)  # type: ignore[arg-type]  # click has checked that it is one of the kinds
    public = save(signer, path, password=password_from(password_env))
    sys.stderr.write(f"wrote {path} (keep it secret) and {public} (give it to verifiers)\n")
    sys.stdout.write(f"{signer.key_id}\n")
    return 0


def password_from(variable: str | None) -> bytes | None:
    """Return the password that an environment variable holds; None when no variable is named.

    Raises:
        UsageError: the variable is not set, or empty.
    """
    if variable is None:
        return None
    value = os.environ.get(variable, "")
    if not value:
        raise UsageError(f"the environment variable {variable!r} holds no password", hint=f"export {variable}=…")
    return value.encode()
