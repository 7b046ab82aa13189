"""``cdme validate`` and ``dbt run-operation cdme_validate``, dbt left aside.

The caller brings the manifest with compiled SQL and a way to query the warehouse; here they become
a report, a text and an exit code. Nothing is written but the cache below the target path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cdme_adapter.errors import QuestionError
from cdme_adapter.validation.cache import Cache
from cdme_adapter.validation.candidate import Compile, validate_candidate
from cdme_adapter.validation.catalog import Execute, load_catalog
from cdme_adapter.validation.project import ProjectView, project_view
from cdme_adapter.validation.report import NO_SQL, Report
from cdme_adapter.validation.validator import validate_project

MOST_UNTOLD = 20
"""Models of which something cannot be told that the text names."""


@dataclass(frozen=True)
class Candidate:
    """A mapping that is not in the project: ``--sql FILE --name NAME [--yaml FILE]``."""

    sql: str
    name: str
    yaml: str | None = None
    file: str | None = None
    compile_sql: Compile | None = None


def candidate_of(sql_file: str | None, name: str | None, yaml_file: str | None) -> Candidate | None:
    """The candidate in these files; ``-`` is standard input, None no candidate.

    Raises QuestionError where it has no name or a file cannot be read.
    """
    if sql_file is None:
        return None
    if not name:
        raise QuestionError("a candidate needs a name", code="BAD_ARGUMENTS", remedy="add --name my_model")
    try:
        sql = sys.stdin.read() if sql_file == "-" else Path(sql_file).read_text(encoding="utf-8")
        told = Path(yaml_file).read_text(encoding="utf-8") if yaml_file else None
    except OSError as error:
        raise QuestionError(f"{error.filename}: {error.strerror}", code="BAD_ARGUMENTS") from error
    return Candidate(sql, name, told, None if sql_file == "-" else sql_file)


def run_validate(
    manifest: Mapping[str, Any],
    execute: Execute,
    *,
    project_dir: str | Path | None = None,
    target_path: str | Path | None = None,
    project_vars: Mapping[str, Any] | None = None,
    compiled: Mapping[str, str] | None = None,
    database: str = "",
    schema: str = "",
    select: Iterable[str] | None = None,
    candidate: Candidate | None = None,
    dry_run: bool = False,
) -> Report:
    """Judge a project, some of its models, or a candidate.

    ``execute`` runs a SELECT on the warehouse (open it read-only where you can). ``select`` holds
    unique ids or names; None means all. ``compiled`` overrides the SQL in the manifest. With
    ``dry_run``, or without ``target_path``, no cache is read or written.
    """
    project = load_project(
        manifest,
        project_dir=project_dir,
        project_vars=project_vars,
        compiled=compiled,
        database=database,
        schema=schema,
    )
    catalog = load_catalog(execute)
    if candidate is not None:
        return validate_candidate(
            candidate.sql,
            candidate.name,
            candidate.yaml,
            project,
            catalog,
            file=candidate.file,
            compile_sql=candidate.compile_sql,
        )
    path = None if dry_run or target_path is None else cache_path(target_path)
    return validate_project(project, catalog, select, cache=Cache.load(path))


def load_project(
    manifest: Mapping[str, Any],
    *,
    project_dir: str | Path | None = None,
    project_vars: Mapping[str, Any] | None = None,
    compiled: Mapping[str, str] | None = None,
    database: str = "",
    schema: str = "",
) -> ProjectView:
    """The project of a manifest; vars not given are those of its dbt_project.yml."""
    told = project_yaml(project_dir)
    given = {**(told.get("vars") or {}), **(project_vars or {})}
    return project_view(
        manifest,
        project_vars=given,
        project_yaml=told,
        directory=str(project_dir) if project_dir is not None else None,
        compiled=compiled,
        database=database,
        schema=schema,
    )


def project_yaml(project_dir: str | Path | None) -> Mapping[str, Any]:
    """dbt_project.yml as it is written, or nothing."""
    path = Path(project_dir) / "dbt_project.yml" if project_dir is not None else None
    if path is None or not path.exists():
        return {}
    loaded = yaml.safe_load(path.read_text())
    return loaded if isinstance(loaded, Mapping) else {}


def cache_path(target_path: str | Path) -> Path:
    """Where the cache of verdicts lies."""
    return Path(target_path) / "cdme" / "validation.json"


def render(report: Report, *, info: bool = False) -> str:
    """The report as a person reads it: findings by place, then the summary line."""
    lines = []
    for finding in report.findings:
        if finding.severity == "info" and not info:
            continue
        where = str(finding.place) or finding.model or ""
        lines.append(f"{finding.severity:5} {finding.code}  {where}")
        lines.append(f"      {finding.message}")
        if finding.remedy:
            lines.append(f"      what to do: {finding.remedy}")
    untold = report.untold()
    for model, reasons in list(untold.items())[:MOST_UNTOLD]:
        why, rules = max(reasons.items(), key=lambda item: len(item[1]))
        shown = ", ".join(rules[:3]) + (f" and {len(rules) - 3} more" if len(rules) > 3 else "")
        lines.append(f"cannot tell  {model}: {why} ({shown})")
    if len(untold) > MOST_UNTOLD:
        lines.append(f"cannot tell  {len(untold) - MOST_UNTOLD:,} more models (--output json lists them)")
    if any(NO_SQL in reasons for reasons in untold.values()):
        lines.append("      what to do: run `dbt compile`, then judge again")
    for finding, because in report.suppressed:
        lines.append(f"suppressed {finding.code}  {finding.place}: {because}")
    for estimate in report.estimates:
        rows = "unknown" if estimate.rows is None else f"{estimate.rows:,}"
        budget = "" if estimate.budget is None else f", budget {estimate.budget:,}"
        if budget or estimate.skew:
            lines.append(f"{estimate.model}: {rows} rows expected{budget}")
        lines += [f"      skewed: {told}" for told in estimate.skew]
    return "\n".join([*lines, report.summary()])


def exit_code(report: Report, fail_on: str = "error") -> int:
    """1 at or above ``--fail-on``, 0 otherwise; 2, could not run, is the caller's."""
    return 1 if report.fails(fail_on) else 0
