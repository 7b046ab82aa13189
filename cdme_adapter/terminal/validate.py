"""``cdme validate``: judge the project's mappings, or a candidate, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cdme_adapter.errors import QuestionError
from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.validation.project import EDITED

_COLUMNS = ("severity", "code", "model", "file", "line", "message", "remedy")


@click.command("validate")
@click.option("--sql", "sql_file", help="A candidate mapping: a file, or - for standard input.")
@click.option("--name", help="The candidate's name.")
@click.option("--yaml", "yaml_file", help="The candidate's properties, as dbt's YAML.")
@click.option("--dry-run", is_flag=True, help="Read and write no cache either.")
@click.option(
    "--fail-on", type=click.Choice(["error", "warn", "info"]), default="error", show_default=True,
    help="Exit with 1 at this severity or above.",
)  # fmt: skip
@common_options
def command(
    common: Common, sql_file: str | None, name: str | None, yaml_file: str | None, dry_run: bool,
    fail_on: str,
) -> int:  # fmt: skip
    """Judge mappings before they run. Compile the project first: `dbt compile`."""
    from cdme_adapter.project import read_project
    from cdme_adapter.validation.command import candidate_of, exit_code, render, run_validate

    project = read_project(common.project_dir, common.profiles_dir, common.target)
    path = Path(common.manifest) if common.manifest else project.manifest_path
    if not path.exists():
        raise QuestionError(
            f"there is no manifest at {path}", code="NO_MANIFEST", remedy="run `dbt compile` first"
        )
    questions = common.questions()
    selection = common.selection(questions.manifest)
    chosen = [node for node in questions.manifest.nodes if selection.keeps(node)]
    raw = json.loads(path.read_text(encoding="utf-8"))
    changed = _changed(raw, Path(common.project_dir or "."))
    report = run_validate(
        raw,
        lambda sql: questions.con.execute(sql).fetchall(),
        project_dir=common.project_dir or ".",
        target_path=project.target_path,
        compiled=_compiled(questions.manifest, changed),
        database=project.database_name,
        schema=project.schema,
        select=chosen if common.select or common.exclude else None,
        candidate=candidate_of(sql_file, name, yaml_file),
        dry_run=dry_run,
    )

    def lines(_: dict[str, Any]) -> Iterator[str]:
        yield render(report)

    emit(common.output, dict(report.as_json()), lines, _rows)
    return exit_code(report, fail_on)


def _compiled(manifest: Any, changed: set[str]) -> dict[str, str]:
    """The compiled SQL of each node, from the manifest or from target/compiled."""
    nodes = manifest.nodes.items()
    return {key: texts[0] for key, node in nodes if (texts := node.compiled) and key not in changed}


def _changed(raw: dict[str, Any], folder: Path) -> set[str]:
    """The models whose files say something else than when dbt read them; their compiled SQL, which is of
    before, is taken out of the manifest. Paths of packages start in folders of their own."""
    found = set()
    own = raw.get("metadata", {}).get("project_name")
    for key, node in raw.get("nodes", {}).items():
        if own and node.get("package_name") != own:
            continue
        file = folder / str(node.get("original_file_path") or "")
        if node.get("resource_type") != "model" or file.suffix != ".sql" or not file.is_file():
            continue
        if _text(file.read_bytes().decode("utf-8-sig", "replace")) != _text(
            str(node.get("raw_code") or "")
        ):
            node["compiled_code"], node[EDITED] = None, True
            found.add(key)
    return found


def _text(code: str) -> str:
    """Code without what an editor or git changes: the ends of its lines."""
    return code.replace("\r\n", "\n").removeprefix("\ufeff").strip()


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _COLUMNS, [[finding[name] for name in _COLUMNS] for finding in answer["findings"]]
