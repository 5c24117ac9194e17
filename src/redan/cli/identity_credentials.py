"""`redan identity key` and `redan identity token`: what programs and people show."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from redan.cli.columns import print_columns
from redan.cli.identity_desk import at_desk, seconds, shown
from redan.cli.identity_people import FORMAT

if TYPE_CHECKING:
    from redan.cli.identity_desk import Desk

SCOPE = click.option("--scope", help="Narrow it: 'predict:fraud metrics.read'; never more than its owner's roles.")


@click.group("key")
def key() -> None:
    """Make, rotate, revoke and list API keys.

    \b
    redan identity key new client:shop --expires 90d
    redan identity key rotate ID --overlap 1d
    """


@key.command("new")
@click.argument("subject")
@click.option("--expires", default="90d", show_default=True, help="How long it is good.")
@click.option("--title", default="", help="What it is for.")
@SCOPE
@at_desk
def new(desk: Desk, subject: str, expires: str, title: str, scope: str | None) -> int:
    """Make a key for SUBJECT (client:NAME or user:NAME) and print it, once."""
    from redan.service.identity import keys, scopes

    narrowed = None if scope is None else scopes.parsed(scope)
    ttl_s = seconds(expires, "--expires")
    with desk.changing("key made", subject=subject, scope=scope or "") as connection:
        made, text = keys.make(connection, subject, by=desk.by, ttl_s=ttl_s, scope=narrowed, title=title)
    return _say(made, text)


@key.command("rotate")
@click.argument("id")
@click.option("--overlap", default="1d", show_default=True, help="How long the old key is good still.")
@at_desk
def rotate(desk: Desk, id: str, overlap: str) -> int:
    """Make a new key like key ID and print it; both are good for a while."""
    from redan.service.identity import keys

    overlap_s = seconds(overlap, "--overlap")
    with desk.changing("key rotated", key=id) as connection:
        made, text = keys.rotate(connection, id, by=desk.by, overlap_s=overlap_s)
        ends = shown(keys.get_key(connection, id).expires_us)
    sys.stderr.write(f"key {id} ends at {ends}\n")
    return _say(made, text)


@key.command("revoke")
@click.argument("id")
@at_desk
def revoke(desk: Desk, id: str) -> int:
    """Accept key ID no more, nor tokens that it was exchanged for."""
    from redan.service.identity import keys

    with desk.changing("key revoked", key=id) as connection:
        found = keys.revoke(connection, id)
    sys.stderr.write(f"key {id} of {found.subject} is not accepted from the next second on\n")
    return 0


@key.command("list")
@click.argument("subject", required=False)
@FORMAT
@at_desk
def listed(desk: Desk, subject: str | None, form: str) -> int:
    """List keys, of SUBJECT or of all, without their secrets."""
    from redan.service.identity import directory, keys, scopes

    with desk.database.reading() as connection:
        found = keys.listed(connection, subject)
    now_us = directory.now_us()
    rows = [
        {
            "id": one.id,
            "subject": one.subject,
            "state": "revoked" if one.revoked_us is not None else "good" if one.live(now_us) else "ended",
            "expires": shown(one.expires_us),
            "used": shown(one.used_us),
            "scope": "" if one.scope is None else scopes.shown(one.scope) or "nothing",
            "title": one.title,
        }
        for one in found
    ]
    print_columns(rows, form, nothing="there is no key yet: redan identity key new SUBJECT")
    return 0


def _say(made: object, text: str) -> int:
    from redan.service.identity.keys import ApiKey

    if isinstance(made, ApiKey):
        sys.stderr.write(
            f"key {made.id} of {made.subject}, good until {shown(made.expires_us)}; it is shown this once:\n"
        )
    sys.stdout.write(f"{text}\n")
    return 0


@click.group("token")
def token() -> None:
    """Sign short-lived tokens without a server, revoke them, and change the key that signs them.

    \b
    redan identity token mint client:shop --scope predict:fraud
    redan identity token rotate
    """


@token.command("mint")
@click.argument("subject")
@click.option("--ttl", help="How long it is good, at most 24h; [identity] token_ttl else.")
@SCOPE
@at_desk
def mint(desk: Desk, subject: str, ttl: str | None, scope: str | None) -> int:
    """Sign a token for SUBJECT and print it."""
    from redan.core.errors import UsageError
    from redan.service.identity import directory, scopes, token_keys, tokens

    settings = desk.config.settings.identity
    ttl_s = seconds(ttl or settings.token_ttl, "--ttl")
    if not 0 < ttl_s <= tokens.LONGEST_S:
        raise UsageError(f"a token cannot live {ttl_s} s", hint="at most 24h; a key lives longer")
    narrowed = None if scope is None else scopes.shown(scopes.parsed(scope))
    ring = token_keys.open_ring(desk.token_key, desk.database)
    with desk.changing("token minted", subject=subject, scope=scope or "", ttl_s=ttl_s) as connection:
        directory.get(connection, subject)
        text, claims = tokens.issued(ring.signing, settings.issuer, subject, ttl_s, scope=narrowed)
    sys.stderr.write(f"token {claims.jti} of {subject}, good until {shown(claims.exp * 1_000_000)}\n")
    sys.stdout.write(f"{text}\n")
    return 0


@token.command("revoke")
@click.argument("id")
@at_desk
def revoke_token(desk: Desk, id: str) -> int:
    """Accept the token with identifier ID (its jti) no more."""
    from redan.service.identity import void

    with desk.changing("token revoked", token=id) as connection:
        void.revoke(connection, id)
    return 0


@token.command("rotate")
@at_desk
def rotate_key(desk: Desk) -> int:
    """Sign tokens with a new key from now on; what the old one signed stays good until it ends.

    Running replicas that read the same file notice within a second.
    """
    from redan.service.identity import token_keys

    with desk.changing("token key rotated"):
        pass
    kid = token_keys.rotate(desk.token_key, desk.database)
    sys.stdout.write(f"{kid}\n")
    return 0


@token.command("distrust")
@click.argument("kid")
@at_desk
def distrust(desk: Desk, kid: str) -> int:
    """Accept nothing any more that the key KID signed, at once: for a key that became known."""
    from redan.core.errors import UnknownName
    from redan.service.identity import token_keys

    with desk.changing("token key distrusted", key=kid) as connection:
        if not token_keys.revoke(connection, kid):
            raise UnknownName(f"no key {kid[:40]!r} signed tokens here", hint="the kid stands in a token's header")
    return 0
