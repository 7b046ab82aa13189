"""The options that all commands take, and how a command is run with them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from cdme_adapter.errors import CdmeError
from cdme_adapter.terminal import progress

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Common:
    """What was said by the common options."""

    project_dir: str | None = None
    profiles_dir: str | None = None
    target: str | None = None
    database: str | None = None
    manifest: str | None = None
    attach: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int = 20
    output: str = "table"
    show_pii: bool = False

    def questions(self) -> Any:
        """The questions over what the options point at."""
        from cdme_adapter.lineage.opening import open_questions

        questions = open_questions(
            self.project_dir,
            self.profiles_dir,
            self.target,
            database=self.database,
            manifest=self.manifest,
            attach=self.attach,
            show_pii=self.show_pii,
        )
        if self.database and not self.manifest and not self.show_pii:
            click.echo("without --manifest no column is known to be personal: none is masked", err=True)
        context = click.get_current_context()
        context.call_on_close(questions.close)
        context.call_on_close(progress.hide)
        progress.show(str(context.info_name), questions.con)
        return questions

    def selection(self, manifest: Any) -> Any:
        """What --select and --exclude leave."""
        from cdme_adapter.lineage.selection import Selection

        return Selection(manifest, self.select, self.exclude)


_OPTIONS = (
    click.option("--project-dir", help="The dbt project; the present folder by default."),
    click.option("--profiles-dir", help="Where profiles.yml is."),
    click.option("--target", "-t", help="The output of the profile."),
    click.option("--database", help="Ask this DuckDB file instead of a project's."),
    click.option("--manifest", help="The manifest.json to go with it."),
    click.option(
        "--attach", multiple=True, metavar="[NAME=]FILE",
        help="Another DuckDB file that models read or wrote; found by itself beside --database.",
    ),
    click.option("--select", "-s", multiple=True, help="Only these nodes."),
    click.option("--exclude", multiple=True, help="Not these nodes."),
    click.option(
        "--limit", type=click.IntRange(min=0), default=20, show_default=True,
        help="How many entries a list shows; 0 is all.",
    ),
    click.option(
        "--output", "-o", type=click.Choice(["table", "json", "csv"]), default="table",
        show_default=True, help="How to answer.",
    ),
    click.option("--show-pii", is_flag=True, help="Show columns that are marked pii."),
)  # fmt: skip


def common_options(function: F) -> F:
    """Give a command the common options, as ``common``, and turn our errors into exit code 2."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        names = Common.__dataclass_fields__
        common = Common(**{name: given.pop(name) for name in names})
        try:
            code = function(common=common, **given)
        except CdmeError as error:
            fail(error, common.output)
        raise SystemExit(code or 0)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run  # type: ignore[return-value]


def fail(error: CdmeError, output: str) -> None:
    """Say an error on stderr, as a JSON document too where one was asked for, and exit 2."""
    progress.hide()
    if output == "json":
        document = {"error": {"code": error.code, "message": error.message, "remedy": error.remedy}}
        click.echo(json.dumps(document, ensure_ascii=False))
    click.echo(f"{click.style('error', fg='red', bold=True)} {error}", err=True)
    raise SystemExit(2)
