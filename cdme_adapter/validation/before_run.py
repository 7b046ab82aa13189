"""The judgement of a run's selected models before the first of them runs; no dbt.

Findings are warnings by default. ``validate: error`` makes those of severity error refuse the run;
ACCESS_DENIED, BUDGET_EXCEEDED, findings against a declared grain, and configuration that cannot be
followed always do (REQ-F-AIA-001, REQ-F-TRV-002, REQ-F-TRV-006).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cdme_adapter.errors import Finding, ValidationRefused
from cdme_adapter.validation.cache import Cache
from cdme_adapter.validation.catalog import Execute, load_catalog
from cdme_adapter.validation.command import cache_path, load_project
from cdme_adapter.validation.project import ProjectView, with_compiled
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import validate_project

CompileAhead = Callable[[list[str], frozenset[str]], tuple[dict[str, str], dict[str, str]]]
SHOWN = 20


@dataclass
class Preflight:
    """What was judged: the project as it was seen, its compiled SQL, and the report."""

    project: ProjectView
    report: Report
    compiled: Mapping[str, str] = field(default_factory=dict)


def judge(
    manifest: Mapping[str, Any],
    execute: Execute,
    *,
    compile_ahead: CompileAhead,
    project_dir: str,
    target_path: Path,
    project_vars: Mapping[str, Any],
    selected: Collection[str],
    database: str = "",
    schema: str = "",
) -> Preflight:
    """Judge the selected models (all where ``selected`` is empty), parents inferred.

    ``compile_ahead`` takes unique ids and the relations that exist, and gives their compiled SQL and
    why some have none.
    """
    project = load_project(
        manifest, project_dir=project_dir, project_vars=project_vars, database=database, schema=schema
    )
    every = project.matching(None)
    judged = [i for i in every if not selected or i in selected]
    needed = project.ancestors(judged)
    sources = {i for i in needed if project.nodes[i].resource_type == "source"}
    unfollowed = _unfollowed(project, sources | set(selected or project.nodes))
    if unfollowed or not judged:
        return Preflight(project, Report(findings=unfollowed, refusals=list(unfollowed)))
    catalog = load_catalog(execute)
    compiled, why_not = compile_ahead(
        [i for i in project.order() if i in needed], frozenset(catalog.relations)
    )
    project = with_compiled(project, compiled, why_not)
    chosen = None if len(judged) == len(every) else judged
    report = validate_project(project, catalog, chosen, cache=Cache.load(cache_path(target_path)))
    return Preflight(project, report, compiled)


def _unfollowed(project: ProjectView, ids: Collection[str]) -> list[Finding]:
    """Configuration that cannot be followed, of what is selected and of the sources that it reads."""
    found: dict[tuple[str, str], Finding] = {}
    for node in project.nodes.values():
        for finding in node.config_findings if node.id in ids else ():
            if finding.severity == "error":
                # What is wrong under vars is wrong for every node: it is said once.
                found.setdefault((finding.code, finding.message), finding)
    return list(found.values())


def refusal(report: Report) -> ValidationRefused | None:
    """The error that refuses the run, or None."""
    if not report.refusals:
        return None
    first = report.refusals[0]
    lines = [f"the run is refused before any model ran: {_count(len(report.refusals), 'finding')}"]
    lines += [f"  {_line(finding)}\n      what to do: {finding.remedy}" for finding in report.refusals]
    return ValidationRefused(
        "\n".join(lines),
        code=first.code if len({f.code for f in report.refusals}) == 1 else None,
        remedy="correct the models; `dbt compile` and `cdme validate` judge them again without a run",
    )


def announce(report: Report, most: int = SHOWN) -> Iterator[tuple[str, str]]:
    """``(severity, line)`` of what a run says: findings, errors first, then the summary."""
    refused = set(report.refusals)
    listed = [f for f in report.counted if f not in refused]
    listed.sort(key=lambda f: f.severity != "error")
    for finding in listed[:most]:
        remedy = f"; what to do: {finding.remedy}" if finding.remedy else ""
        yield finding.severity, _line(finding) + remedy
    if len(listed) > most:
        yield "warn", f"{len(listed) - most} more findings: see `cdme validate`"
    if listed or report.suppressed:
        hidden = f", {len(report.suppressed)} suppressed" if report.suppressed else ""
        yield "info", f"validation: {report.summary()}{hidden}"


def kept(preflight: Preflight) -> Iterator[Finding]:
    """The findings that the run's ledger keeps; those of the configuration are the run's own."""
    nodes = preflight.project.nodes
    for finding in preflight.report.counted:
        node = nodes.get(finding.model or "")
        if node is None or finding not in node.config_findings:
            yield finding
    for finding, because in preflight.report.suppressed:
        yield replace(finding, severity="info", message=f"{finding.message} (suppressed: {because})")


def _line(finding: Finding) -> str:
    where = str(finding.place) or finding.model or ""
    return f"[{finding.code}] {where}: {finding.message}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
