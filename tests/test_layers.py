"""Imports go one way; this reads them with ``ast`` and holds it (STYLE: house rules are tested)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cdme_adapter"

# From the values upwards. A module may import from its own layer and from those above it in this
# list. A name stands for the module or the folder of that name.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"provenance", "accounting", "config_values", "config_options", "config"}),
    frozenset({"declared_tests", "nodes", "manifest", "project", "locate"}),
    frozenset({"plugins"}),
    frozenset({"capture"}),
    frozenset({"column_lineage", "pii"}),
    frozenset({"engines", "pseudonyms"}),
    frozenset({"store"}),
    frozenset({"evidence", "shared_sets"}),
    frozenset({"settle_levels"}),
    frozenset(
        {"contents", "custom", "drift", "file_inputs", "generations", "gate", "maps"}
        | {"plan_cache", "recipes", "settle", "validation"}
    ),
    frozenset({"settle_indirect", "settle_totals"}),
    frozenset({"totals"}),
    frozenset(
        {"bind", "epochs", "hooks", "pairing", "carry", "increment", "modes", "pipeline", "refine"}
        | {"telemetry", "watch"}
    ),
    frozenset({"lineage"}),
    frozenset({"emit", "proof", "report"}),
    frozenset({"declared", "external", "seeds", "views", "run"}),
    frozenset({"collect", "prove", "unbegun"}),
    frozenset({"terminal", "operations"}),
    frozenset(
        {
            "adapter",
            "capture_mixin",
            "cli",
            "connections",
            "credentials",
            "dbt_events",
            "dbt_pii",
            "dbt_plugin",
            "dbt_session",
            "dbt_tests",
            "external_mixin",
            "python_models",
            "precompile",
            "preflight_mixin",
            "emission",
            "questions_mixin",
            "telling_mixin",
        }
    ),
)

# dbt 2 will load no Python adapters: everything but this thin binding must work without dbt.
MAY_IMPORT_DBT = frozenset(
    {
        "adapter",
        "capture_mixin",
        "connections",
        "credentials",
        "dbt_pii",
        "dbt_events",
        "dbt_plugin",
        "dbt_session",
        "dbt_tests",
        "external_mixin",
        "python_models",
        "precompile",
        "preflight_mixin",
        "questions_mixin",
        "telling_mixin",
    }
)

DBT = frozenset({"dbt", "dbt_common", "dbt_semantic_interfaces"})

FORBIDDEN: dict[str, frozenset[str]] = {"capture": DBT | {"duckdb"}}

MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    """The dotted name of a file of the package."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for types only."""
    name = module_name(file)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from imported_from(node, package)


def imported_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    """The modules of one ``from … import``; ``from cdme_adapter import x`` may mean a module."""
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, base]).rstrip(".")
    if base == "cdme_adapter":
        yield from (f"{base}.{alias.name}" for alias in node.names)
    else:
        yield base


def part(module: str) -> str | None:
    """The file or folder of the package that a dotted name lies in, if any."""
    names = module.split(".")
    if names[0] != "cdme_adapter" or len(names) < 2 or names[1].startswith("__"):
        return None
    return names[1]


def is_ours(name: str) -> bool:
    """Whether a part is a module or folder, not a name such as ``cdme_adapter.__version__``."""
    return (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists()


def layer(name: str) -> int:
    """The place of a part in LAYERS."""
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    raise AssertionError(f"cdme_adapter/{name} has no place in LAYERS of {__file__}: give it one")


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_imports_go_one_way(file: Path) -> None:
    own = part(module_name(file))
    if own is None:
        return
    for module in imported(file):
        other = part(module)
        if other is None or not is_ours(other):
            continue
        assert layer(other) <= layer(own), f"{module_name(file)} must not import {module}"


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_only_the_binding_imports_dbt(file: Path) -> None:
    own = part(module_name(file))
    forbidden = FORBIDDEN.get(own or "", frozenset())
    if own not in MAY_IMPORT_DBT:
        forbidden |= DBT
    found = {module.split(".")[0] for module in imported(file)} & forbidden
    assert not found, f"{module_name(file)} must not import {', '.join(sorted(found))}"


def test_the_reader_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path / "cdme_adapter")
    file = tmp_path / "cdme_adapter" / "lineage" / "graph.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import duckdb\nfrom cdme_adapter import gate\nfrom ..store import edges\n"
        "def f():\n    from dbt.adapters import base\n"
    )
    assert list(imported(file)) == [
        "duckdb",
        "cdme_adapter.gate",
        "cdme_adapter.store",
        "dbt.adapters",
    ]
