"""The console command ``cdme``: a group whose commands are imported when they are called.

Cold start matters more than tidy imports: nothing but click and what the called command itself
needs is loaded, and never dbt. A command whose module does not exist is not registered.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import click

COMMANDS = {
    "trace": "the records behind output records",
    "impact": "everything downstream of some records",
    "explain": "what became of input records in a model",
    "ledger": "the accounting of the last run",
    "errors": "the error domain",
    "reconcile": "the laws, checked by replay",
    "validate": "what is wrong before anything runs",
    "proof": "the proof of a run",
    "emit": "send the events that were not sent",
    "gc": "remove metadata that nothing refers to",
    "forget": "remove a subject's records from the metadata",
    "sql": "SQL over the lineage, read-only",
    "report": "one HTML file about a run",
}


class LazyGroup(click.Group):
    """Lists the commands that exist and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of their importance."""
        return [name for name in COMMANDS if find_spec(_module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS or not find_spec(_module(cmd_name)):
            return None
        command = import_module(_module(cmd_name)).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown command with the nearest name."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


def _module(name: str) -> str:
    return f"cdme_adapter.terminal.{name}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dbt-cdme", prog_name="cdme")
def cli() -> None:
    """Ask any row where it came from, where it went and what became of it.

    Questions write nothing: databases are opened read-only, and dbt is not needed. Only emit, gc and
    forget write.
    """


def main() -> None:
    """The entry point of the console script: exit 0 fine, 1 findings, 2 could not run."""
    sys.exit(cli.main(prog_name="cdme", standalone_mode=True))
