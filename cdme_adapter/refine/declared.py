"""What each record must fulfil: the refinements of a node, and its own dbt tests, as checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cdme_adapter.config import Refinement
from cdme_adapter.engines.rows import quote
from cdme_adapter.errors import ConfigError, Place
from cdme_adapter.locate import search_line
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.refine.checks import Check
from cdme_adapter.refine.dbt_tests import check_of

MOST = 60
"""How many refinements a model may have: each is one bit of a BIGINT."""


def checks_of(refinements: Iterable[Refinement], node: NodeInfo) -> list[Check]:
    """The checks that a list of refinements means for ``node``; names are made unique."""
    found: list[Check] = []
    for one in refinements:
        if one.tests:
            found += [check for test in node.tests if (check := check_of(test)) is not None]
        elif one.expression is not None:
            found.append(Check(one.name, one.expression, expression=one.expression))
        else:
            keep = f", the first by {one.order_by} stays" if one.order_by else ""
            columns = tuple(quote(name) for name in one.unique)
            found.append(
                Check(one.name, f"unique ({', '.join(one.unique)}){keep}", unique=columns,
                      order_by=one.order_by)
            )  # fmt: skip
    if len(found) > MOST:
        raise ConfigError(
            f"{len(found)} refinements are declared, {MOST} is the most",
            code="REFINE_TOO_MANY", model=node.id, place=Place(node.file),
            remedy="join some of them with AND",
        )  # fmt: skip
    return [_placed(check, node) for check in _named(found)]


def skipped_tests(refinements: Iterable[Refinement], node: NodeInfo) -> list[str]:
    """The names of a node's tests that ``tests`` does not enforce, though they fail the build."""
    if not any(one.tests for one in refinements):
        return []
    return [t.name for t in node.tests if check_of(t) is None and t.severity == "error"
            and not t.name.startswith("dbt_cdme.")]  # fmt: skip


def late_parents(refinements: Iterable[Refinement], node: NodeInfo, nodes: Nodes) -> list[str]:
    """The relations that enforced relationships look into and that dbt need not build before ``node``."""
    if not any(one.tests for one in refinements):
        return []
    before, todo = {node.id}, [node.id]
    while todo:
        one = nodes.by_id.get(todo.pop())
        new = set(one.parents if one is not None else ()) - before
        before |= new
        todo += new
    asked = dict.fromkeys(t.parent_id for t in node.tests if t.parent_id and check_of(t) is not None)
    return [one for one in asked if one not in before and not one.startswith("source.")]


def _named(checks: Sequence[Check]) -> list[Check]:
    """Every name once: a second ``not_null_id`` becomes ``not_null_id_2``."""
    seen: dict[str, int] = {}
    found = []
    for check in checks:
        seen[check.name] = seen.get(check.name, 0) + 1
        count = seen[check.name]
        found.append(replace(check, name=f"{check.name}_{count}") if count > 1 else check)
    return found


def _placed(check: Check, node: NodeInfo) -> Check:
    line = search_line(node.raw_code, check.shown) if check.expression and not check.file else None
    return replace(check, file=check.file or node.file, line=line)


def refuse_without_sql(node: NodeInfo, place: Place) -> None:
    """Raise ConfigError where a node asks for what is done to SQL, and has none."""
    if node.language == "sql" and node.resource_type != "seed":
        return
    kind = "a seed" if node.resource_type == "seed" else f"a {node.language} model"
    needs_sql = ("refine_inputs",) if node.resource_type == "seed" else ("refine_inputs", "cast")
    for option in needs_sql:
        if (node.meta or {}).get(option):
            raise ConfigError(
                f"meta.cdme {option} is done to a model's SQL, and {kind} has none",
                code="REFINE_REWRITE", model=node.id, place=place,
                remedy="declare `refine`, which judges the rows that it gives",
            )  # fmt: skip
