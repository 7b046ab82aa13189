"""How long judging 1,000 models takes, cold and warm: ``python -m bench.validate_speed [--models N]``.

The models are those of the eight projects that the mutants are planted in, copied under other names
until there are enough. Nothing is cached between copies: their names differ. CPU seconds are what a
busy machine changes least.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cdme_adapter.validation import project_view
from cdme_adapter.validation.cache import Cache
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import validate_project
from tests.validation.harness import manifest, warehouse
from tests.validation.mutants.measure import PROJECTS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    wanted = parser.parse_args().models
    told, catalog = _told(wanted)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "validation.json"
        raw = json.loads(json.dumps(told))
        cold, report = _timed(lambda: _judge(raw, catalog, path))
        warm, again = _timed(lambda: _judge(raw, catalog, path))
    print(f"{len(report.models())} models: {report.summary()}")
    print(f"cold: {cold[0]:.1f} s, {cold[1]:.1f} s of CPU, {report.rechecked} judged")
    print(f"warm: {warm[0]:.1f} s, {warm[1]:.1f} s of CPU, {again.rechecked} judged")


def _judge(raw: Mapping[str, Any], catalog: Catalog, path: Path) -> Report:
    project = project_view(raw, database="wh", schema="main")
    return validate_project(project, catalog, cache=Cache.load(path))


def _timed(work: Callable[[], Report]) -> tuple[tuple[float, float], Report]:
    wall, cpu = time.perf_counter(), time.process_time()
    report = work()
    return (time.perf_counter() - wall, time.process_time() - cpu), report


def _told(wanted: int) -> tuple[dict[str, Any], Catalog]:
    tables: dict[str, Any] = {}
    models: dict[str, Any] = {}
    read = [(p.stem, yaml.safe_load(p.read_text())) for p in sorted(PROJECTS.glob("*.yml"))]
    for stem, project in read:
        tables |= {f"{stem}_{name}": table for name, table in project["tables"].items()}
    copy = 0
    while len(models) < wanted:
        for stem, project in read:
            names = {name: f"{stem}_{name}" for name in project["tables"]}
            names |= {name: f"{stem}_{name}_{copy}" for name in project["models"]}
            for name, model in project["models"].items():
                entry = {"sql": model} if isinstance(model, str) else dict(model)
                for one, other in names.items():
                    entry["sql"] = entry["sql"].replace(f"{{{one}}}", f"{{{other}}}")
                models[names[name]] = entry
        copy += 1
    return manifest(tables, dict(list(models.items())[:wanted])), warehouse(tables)


if __name__ == "__main__":
    main()
