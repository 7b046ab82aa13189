"""Plants the faults, judges each, and prints the table of docs/validation.md.

``python -m tests.validation.mutants.measure`` prints it; ``--write`` puts it into the document.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from cdme_adapter.validation.cache import Cache
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.project import ProjectView
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import validate_project
from tests.validation.harness import view, warehouse
from tests.validation.mutants.planter import Fault, Ground, plant

PROJECTS = Path(__file__).parent / "projects"
DOCUMENT = Path(__file__).parents[3] / "docs" / "validation.md"
MARKS = ("<!-- mutants -->", "<!-- end of mutants -->")


@dataclass
class Result:
    """What was planted, what was found, and what is said of the good models."""

    faults: list[tuple[Fault, bool, list[str]]] = field(default_factory=list)
    good: dict[str, Report] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share of faults found under the right code."""
        return sum(ok for _, ok, _ in self.faults) / len(self.faults)

    @property
    def models(self) -> int:
        """How many good models were judged."""
        return sum(len(r.models()) for r in self.good.values())

    @property
    def false_errors(self) -> int:
        """Findings of severity error on good models."""
        return sum(f.severity == "error" for r in self.good.values() for f in r.findings)


def measure(names: list[str] | None = None) -> Result:
    """Judge every project as it is and with each fault."""
    result = Result()
    for path in sorted(PROJECTS.glob("*.yml")):
        if names and path.stem not in names:
            continue
        told = yaml.safe_load(path.read_text())
        project, catalog = view(told["tables"], told["models"]), warehouse(told["tables"])
        cache = Cache()
        result.good[path.stem] = validate_project(project, catalog, cache=cache)
        ground = Ground(path.stem, told)
        for fault in plant(ground):
            codes = judged(fault, project, catalog, cache)
            result.faults.append((fault, fault.code in codes, codes))
    return result


def judged(fault: Fault, project: ProjectView, catalog: Catalog, cache: Cache) -> list[str]:
    """The codes reported on the faulty model that are more than information."""
    unique_id = f"model.shop.{fault.model}"
    node = replace(project.nodes[unique_id], sql=fault.sql, raw=fault.sql)
    faulty = replace(project, nodes={**project.nodes, unique_id: node})
    report = validate_project(faulty, catalog, [unique_id], cache=cache)
    return sorted({f.code for f in report.counted if f.model == unique_id})


def table(result: Result) -> str:
    """The result as Markdown."""
    planted: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    equal: Counter[tuple[str, str]] = Counter()
    for fault, ok, _ in result.faults:
        key = (fault.operator, fault.code)
        planted[key] += 1
        found[key] += ok
        equal[key] += fault.equivalent
    lines = [
        "| fault planted | expected code | planted | found | same output on the data |",
        "|---|---|---:|---:|---:|",
    ]
    for key, count in planted.items():
        operator, code = key
        lines.append(f"| {operator.replace('_', ' ')} | {code} | {count} | {found[key]} | {equal[key]} |")
    total, hit = len(result.faults), sum(ok for _, ok, _ in result.faults)
    lines.append(f"| **all** | | **{total}** | **{hit} ({hit / total:.1%})** | {equal.total()} |")
    lines.append("")
    lines.append(
        f"{len(result.good)} projects, {result.models} good models: {result.false_errors} findings "
        f"of severity error, {_count(result, 'warn')} warnings, on the models untouched."
    )
    return "\n".join(lines)


def _count(result: Result, severity: str) -> int:
    return sum(f.severity == severity for r in result.good.values() for f in r.findings)


def main(arguments: list[str]) -> int:
    """Print or write the table, and name what was missed."""
    result = measure()
    text = table(result)
    print(text)
    for fault, ok, codes in result.faults:
        if not ok:
            print(f"missed: {fault.project}.{fault.model} {fault.operator} gave {codes}")
    for report in result.good.values():
        for finding in report.counted:
            print("on a good model:", finding.severity, finding.code, finding.model, finding.message)
    if "--write" in arguments:
        document = DOCUMENT.read_text()
        before, rest = document.split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        DOCUMENT.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
