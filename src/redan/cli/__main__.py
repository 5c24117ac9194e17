"""Entry point: knows verb names and one-liners only, and turns every ending into an exit code."""

from __future__ import annotations

import sys

import click

from redan import __version__
from redan.cli.verbs import VERBS

EXIT_CODES = """Exit codes: 0 clean, 1 a finding at or above the gate, 2 usage or configuration,
3 could not decide, 4 a bug in Redan, 130 interrupted."""


class Verbs(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        from importlib import import_module

        command = import_module(f"redan.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or name the nearest one."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from redan.core.errors import UnknownName

            raise UnknownName.among("verb", name, list(VERBS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="redan")
def redan() -> None:
    """Measure, reduce, prove and watch the security of a machine-learning model."""


def main() -> None:
    """Run the command line and exit."""
    from redan.cli.ending import run

    sys.exit(run(redan, sys.argv[1:]))


if __name__ == "__main__":
    main()
