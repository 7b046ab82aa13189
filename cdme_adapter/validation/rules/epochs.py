"""EPOCH_UNDECLARED and EPOCH_MISMATCH: joins across epochs, and whether the SQL keeps what is declared.

REQ-F-TRV-003, REQ-F-CTX-001: ``temporal`` declares as_of, latest or exact. A snapshot holds a record's
every epoch at once, and so does an input of which a ``column`` is declared: there the SQL itself must
choose. Which epochs a run read is a question of the run (``epochs.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.config import Temporal
from cdme_adapter.validation.analysis import Analysis
from cdme_adapter.validation.predicates import walk
from cdme_adapter.validation.project import Node
from cdme_adapter.validation.view import CannotTell, ModelView, Said

_VALIDITY = ("dbt_valid_from", "dbt_valid_to")
_MARKS = (*_VALIDITY, "dbt_is_deleted")
_FILTERS = (exp.Where, exp.Join, exp.Having, exp.Qualify)
_BEFORE = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)
_SAME = (exp.EQ, exp.NullSafeEQ, exp.In)
_PICKS = (exp.Window, exp.Order, exp.ArgMax, exp.ArgMin, exp.Max, exp.Min, exp.First, exp.Last)
_KEPT = {
    "as_of": "an ASOF join, or a comparison by <, <=, >, >= or BETWEEN",
    "latest": "a filter, or a choice of the newest (max_by, row_number() … ORDER BY)",
    "exact": "an equality",
}


def check(view: ModelView) -> Iterator[Said]:
    """What is declared against the SQL, snapshots read as if they held one epoch, clocks that differ."""
    if view.analysis is None:
        return
    declared: set[str] = set()
    for given, temporal in view.node.config.temporal.items():
        names = view.names(given)
        declared.update(names)
        if not names and view.beneath(given):
            yield CannotTell(f"{given} is read through a view, whose clauses are not looked into")
        for name in names:
            yield from _declared(view, view.analysis, given, name, temporal)
    inputs = list(view.inputs())
    if len(inputs) < 2:
        return
    for name, _, node in inputs:
        if node is None or name in declared or node.resource_type != "snapshot":
            continue
        if not any(_within(column, _FILTERS) for column in _uses(view.analysis, name, _MARKS)):
            yield _undeclared(view, name, f"{node.name} is a snapshot and holds a record's every epoch")
    clocks = [(n, node) for n, _, node in inputs if node is not None and node.loaded_at_field]
    if len({_clock(node) for _, node in clocks}) > 1:
        for name, node in clocks:
            if name not in declared:
                yield _undeclared(view, name, f"{node.name} is loaded on a clock of its own", "info")
                return


def _declared(view: ModelView, analysis: Analysis, given: str, name: str, told: Temporal) -> Iterator[Said]:
    """Whether the SQL chooses the records of an input as is declared."""
    node = view.project.by_relation(name)
    relation = analysis.reads[name]
    if told.column:
        columns: tuple[str, ...] = (told.column.lower(),)
        if relation.columns and not relation.opaque and relation.column(told.column) is None:
            yield _mismatch(view, name, f"{given} has no column {told.column}", "name one of its columns")
            return
    elif node is not None and node.resource_type == "snapshot":
        columns = _VALIDITY
    elif told.mode == "as_of":
        why = f"{given} is declared as_of and no column says as of when"
        yield _mismatch(view, name, why, "add the column that says it: {mode: as_of, column: valid_from}")
        return
    else:
        return  # it holds one epoch: which one it is shows when it is read
    if told.mode == "exact" and not told.column:
        why = f"{given} is a snapshot, which holds a record's every epoch, and is declared exact"
        yield _mismatch(view, name, why, "name the column that holds the epoch, or declare as_of or latest")
        return
    uses = list(_uses(analysis, name, columns))
    if any(_keeps(column, told.mode) for column in uses):
        return
    if not uses and relation.opaque:
        yield CannotTell(f"the columns of {given} are not known")
        return
    listed = " or ".join(columns)
    yield _mismatch(
        view, name,
        f"{given} is declared {told.mode} by {listed}, and no clause chooses its records by it",
        f"choose them by {_KEPT[told.mode]} on {listed}, or declare the mode that is meant",
    )  # fmt: skip


def _keeps(column: exp.Column, mode: str) -> bool:
    """Whether this use of a column chooses records as the mode wants it."""
    if mode == "latest":
        return _within(column, (*_FILTERS, *_PICKS))
    join = column.find_ancestor(exp.Join)
    if mode == "as_of" and join is not None and str(join.args.get("method") or "").upper() == "ASOF":
        return True
    return _within(column, _FILTERS) and _within(column, _BEFORE if mode == "as_of" else _SAME)


def _uses(analysis: Analysis, name: str, columns: tuple[str, ...]) -> Iterator[exp.Column]:
    """The places at which a column of these names is used that comes from an input."""
    holding: dict[str, bool] = {}
    for facts in analysis.selects:
        for alias, source in facts.sources.items():
            reads = source.relation.name == name or name in source.relation.edges
            holding[alias] = holding.get(alias, False) or reads
    for column in walk(analysis.tree, exp.Column, into=True):
        if column.name.lower() in columns and holding.get(column.table.lower(), not column.table):
            yield column


def _within(column: exp.Column, kinds: tuple[type[exp.Expr], ...]) -> bool:
    """Whether it stands in such a part of the SELECT that it belongs to."""
    node = column.parent
    while node is not None and not isinstance(node, exp.Query):
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def _clock(node: Node) -> str:
    return f"{node.id.rsplit('.', 1)[0]}:{node.loaded_at_field}"


def _mismatch(view: ModelView, name: str, why: str, remedy: str) -> Said:
    assert view.analysis is not None
    return view.found("EPOCH_MISMATCH", "error", why, remedy, view.analysis.places.get(name))


def _undeclared(view: ModelView, name: str, why: str, severity: str = "warn") -> Said:
    assert view.analysis is not None
    return view.found(
        "EPOCH_UNDECLARED",
        severity,
        f"{why}, and the model does not say which epoch it joins",
        f"declare meta.cdme.temporal.{view.title(name)}.mode as as_of, latest or exact",
        view.analysis.places.get(name),
    )
