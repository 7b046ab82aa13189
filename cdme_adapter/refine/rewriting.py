"""The model's SQL as it runs where ``cast`` or ``refine_inputs`` is declared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cdme_adapter.capture.plan import CapturePlan
from cdme_adapter.capture.sqltext import parse, render
from cdme_adapter.config import CdmeConfig
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import prove_round_trip
from cdme_adapter.engines.rows import columns_of
from cdme_adapter.errors import ConfigError, Place, UnsupportedConstruct
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.refine.casts import TYPE, CastNotFound, try_casts
from cdme_adapter.refine.checks import Check, bind
from cdme_adapter.refine.declared import checks_of
from cdme_adapter.refine.files import note_lines, reads_csv
from cdme_adapter.refine.inputs import InputNotRefined, keep_out


@dataclass(frozen=True)
class Rewritten:
    """The SQL that runs, the checks on helper columns by helper, and those on inputs by number."""

    sql: str
    helpers: dict[str, Check] = field(default_factory=dict)
    inputs: tuple[tuple[str, Check], ...] = ()
    """(id of the input, check), in the order of their numbers."""


def rewrite(execute: Execute, compiled: str, node: NodeInfo, nodes: Nodes, config: CdmeConfig) -> Rewritten:
    """The rewritten SQL of a model; raises ConfigError for what cannot be done to it."""
    if not config.cast and not config.refine_inputs:
        return Rewritten(_noting(execute, compiled))
    option = "cast" if config.cast else "refine_inputs"
    try:
        prove_round_trip(execute, compiled)
        tree = parse(compiled)
        numbered = _numbered(execute, node, nodes, config)
        if numbered:
            by_input: dict[str, list[tuple[int, Check]]] = {}
            for number, (ident, check) in enumerate(numbered):
                by_input.setdefault(ident, []).append((number, check))
            keep_out(tree, nodes, by_input)
        if reads_csv(compiled):
            note_lines(tree)
        helpers = {helper.name: helper.check for helper in try_casts(tree, config.cast)}
        sql = render(tree)
        _prove_same_columns(execute, compiled, sql, helpers)
    except (CastNotFound, InputNotRefined, UnsupportedConstruct) as reason:
        if isinstance(reason, UnsupportedConstruct):
            execute(f"DESCRIBE {compiled}")  # the model's own fault is told as such
        raise _refused(option, str(reason), node) from reason
    except ConfigError:
        raise
    except Exception as error:
        execute(f"DESCRIBE {compiled}")  # the model's own fault is told as such
        raise _refused(option, str(error).splitlines()[0], node) from error
    placed = {name: replace(check, file=node.file) for name, check in helpers.items()}
    return Rewritten(sql, placed, tuple(numbered))


def _prove_same_columns(execute: Execute, compiled: str, sql: str, helpers: dict[str, Check]) -> None:
    """The rewritten query has the columns of the model's own, in their order, and the helpers besides."""
    found = columns_of(execute, sql)
    mine = [(name, kind) for name, kind in found if name not in helpers]
    kinds = {kind for name, kind in found if name in helpers} - {TYPE}
    if mine != list(columns_of(execute, compiled)) or kinds:
        raise CastNotFound("the sides of a set operation do not list their columns alike")


def _noting(execute: Execute, compiled: str) -> str:
    """The SQL with its scans of CSV files noting lines that do not parse; as it is, where it cannot be
    read with certainty."""
    if not reads_csv(compiled):
        return compiled
    try:
        prove_round_trip(execute, compiled)
        tree = parse(compiled)
        note_lines(tree)
        return render(tree)
    except UnsupportedConstruct:
        return compiled


def _refused(option: str, why: str, node: NodeInfo) -> ConfigError:
    return ConfigError(
        f"meta.cdme {option} cannot be followed: {why}",
        code="REFINE_REWRITE",
        model=node.id,
        place=Place(node.file),
        remedy="write the cast in the expression of the column, or the predicate in the model",
    )


def _numbered(
    execute: Execute, node: NodeInfo, nodes: Nodes, config: CdmeConfig
) -> list[tuple[str, Check]]:
    """The checks on inputs; what names no input speaks of every direct one."""
    found: list[tuple[str, Check]] = []
    for one in config.refine_inputs:
        inputs = list(node.parents)
        if one.input is not None:
            resolved = nodes.resolve(one.input, node.parents)
            if resolved is None:
                raise _refused("refine_inputs", f"{one.input} is no input of the model", node)
            inputs = [resolved]
        for ident in inputs:
            parent = nodes.by_id[ident]
            checks = checks_of([one], parent)
            if any(not check.fails and check.expression is None for check in checks):
                raise _refused("refine_inputs", "unique is judged on outputs only, under refine", node)
            if parent.materialized == "ephemeral":
                found += [(ident, _careful(check)) for check in checks]
                continue
            quoted = ".".join(f'"{p}"' for p in (parent.database, parent.schema, parent.identifier) if p)
            bound = bind(execute, checks, columns_of(execute, f"SELECT * FROM {quoted}"), parent)
            found += [(ident, check) for check in bound]
    return [(ident, replace(check, file=node.file, line=None)) for ident, check in found]


def _careful(check: Check) -> Check:
    """A check over columns that are not known yet."""
    return replace(check, fails=f"(({check.expression}\n) IS NOT TRUE)") if check.expression else check


def without_lines(plan: CapturePlan) -> CapturePlan:
    """A plan of rewritten SQL: lines in it are not the file's, so a clause is found by its text."""
    clauses = tuple(c if c.origin else replace(c, line=None) for c in plan.clauses)
    return replace(plan, clauses=clauses)
