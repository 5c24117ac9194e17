"""`redan identity user` and `redan identity client`: who there is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from redan.cli.columns import print_columns
from redan.cli.identity_desk import at_desk, shown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.cli.identity_desk import Desk

FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
NAME = click.argument("name")


@click.group("user")
def user() -> None:
    """Add, list and disable people.

    \b
    redan identity user add ann --role operator
    redan identity user password ann
    """


@click.group("client")
def client() -> None:
    """Add, list and disable programs that use the gateway.

    \b
    redan identity client add shop --role client --model fraud --key
    """


def full(kind: str, name: str) -> str:
    """Return ``user:NAME`` or ``client:NAME``, whether or not the kind was typed."""
    return name if name.startswith(f"{kind}:") else f"{kind}:{name}"


def told(broken: list[Any]) -> None:
    """Say on stderr which separations of duties are broken now."""
    for separation in broken:
        sys.stderr.write(f"mind the separation of duties: {separation.why}\n")


def _add(kind: str) -> Callable[..., int]:
    @NAME
    @click.option("--title", default="", help="What people call it.")
    @click.option("--role", help="Give this role at once.")
    @click.option("--model", default="*", show_default=True, help="The one model that the role is for.")
    @at_desk
    def add(desk: Desk, name: str, title: str, role: str | None, model: str, key: bool = False) -> int:
        from redan.service.identity import directory

        id = full(kind, name)
        facts = {"subject": id, "role": role, "model": model} if role else {"subject": id}
        facts |= {"key": "yes"} if key else {}
        with desk.changing(f"{kind} added", **facts) as connection:
            directory.add(connection, id, title=title, by=desk.by)
            if role:
                told(directory.grant(connection, desk.roles, id, role, model, by=desk.by))
            text = _keyed(desk, connection, id) if key else id
        sys.stdout.write(f"{text}\n")
        return 0

    if kind == "client":
        return click.option("--key", is_flag=True, help="Make a key too, and print it instead of the name, once.")(add)
    return add


def _keyed(desk: Desk, connection: Connection, id: str) -> str:
    from redan.service.identity import keys

    made, text = keys.make(connection, id, by=desk.by)
    sys.stderr.write(f"key {made.id} of {id}, good until {shown(made.expires_us)}; it is shown this once:\n")
    return text


def _list(kind: str) -> Callable[..., int]:
    @FORMAT
    @at_desk
    def listed(desk: Desk, form: str) -> int:
        from redan.service.identity import directory

        with desk.database.reading() as connection:
            held = directory.assigned(connection)
            found = [subject for subject in directory.everybody(connection) if subject.id.startswith(f"{kind}:")]
        rows = [
            {
                "id": subject.id,
                "roles": [a.role if a.model == "*" else f"{a.role}:{a.model}" for a in held if a.subject == subject.id],
                "used": shown(subject.used_us),
                "disabled": "yes" if subject.disabled else "no",
                "title": subject.title,
            }
            for subject in found
        ]
        print_columns(rows, form, nothing=f"there is no {kind} yet: redan identity {kind} add NAME")
        return 0

    return listed


def _disable(kind: str) -> Callable[..., int]:
    @NAME
    @at_desk
    def disable(desk: Desk, name: str) -> int:
        from redan.service.identity import directory

        id = full(kind, name)
        with desk.changing(f"{kind} disabled", subject=id) as connection:
            directory.disable(connection, id, desk.roles)
        sys.stderr.write(f"nothing of {id} is accepted from the next second on\n")
        return 0

    return disable


def _enable(kind: str) -> Callable[..., int]:
    @NAME
    @at_desk
    def enable(desk: Desk, name: str) -> int:
        from redan.service.identity import directory

        id = full(kind, name)
        with desk.changing(f"{kind} enabled", subject=id) as connection:
            directory.enable(connection, id)
        sys.stderr.write(f"{id} is accepted again, with its keys; sessions and tokens from before stay void\n")
        return 0

    return enable


for _group, _kind, _what in ((user, "user", "a person"), (client, "client", "a program")):
    _group.command("add", help=f"Add {_what} as NAME.")(_add(_kind))
    _group.command("list", help=f"List who is {_what}: roles, last use.")(_list(_kind))
    _group.command("disable", help=f"Accept nothing of {_what} any more.")(_disable(_kind))
    _group.command("enable", help=f"Accept {_what} again.")(_enable(_kind))


@user.command("password")
@NAME
@click.option("--password-env", metavar="VAR", help="Environment variable with the new password; asked for else.")
@at_desk
def password(desk: Desk, name: str, password_env: str | None) -> int:
    """Give a person a password; their sessions end."""
    from redan.cli.key import password_from
    from redan.service.identity.login.factors import set_password

    given = password_from(password_env)
    text = (
        given.decode() if given else click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    )
    id = full("user", name)
    with desk.changing("password set", subject=id) as connection:
        set_password(connection, id, text)
    sys.stderr.write(f"{id} has a new password; a second factor is enrolled at /account\n")
    return 0


@user.command("reset-factors")
@NAME
@at_desk
def reset_factors(desk: Desk, name: str) -> int:
    """Take the second factors of a person away who lost them; their sessions end."""
    from redan.service.identity.login.factors import reset_factors as reset

    id = full("user", name)
    with desk.changing("factors reset", subject=id) as connection:
        reset(connection, id)
    sys.stderr.write(f"{id} has no second factor any more, and enrols a new one at the next login\n")
    return 0


@user.command("sign-out")
@NAME
@at_desk
def sign_out(desk: Desk, name: str) -> int:
    """End all sessions and tokens of a person; keys stay good."""
    from redan.service.identity import directory

    id = full("user", name)
    with desk.changing("signed out", subject=id) as connection:
        directory.sign_out(connection, id)
    return 0
