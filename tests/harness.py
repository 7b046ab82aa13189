"""Run the capture on a bare DuckDB connection: what the laws and fixtures compare with.

No dbt: the model's SQL is planned, its nodes are materialised, and the settlement's tables are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb

from cdme_adapter.accounting import Verdict
from cdme_adapter.bind import bound
from cdme_adapter.capture.plan import ROOT, CapturePlan
from cdme_adapter.capture.planner import plan_of_reads, plan_query
from cdme_adapter.engines.duckdb import DuckDbCatalog, prove_round_trip
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.engines.scans import relations_scanned
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.settle import ROOT_ROWS, InputAccount, Settlement
from cdme_adapter.settle_indirect import IndirectSettlement, Steps
from cdme_adapter.settle_totals import SAMPLED, TotalsSettlement

VERDICTS = [verdict.value for verdict in Verdict]


@dataclass
class Captured:
    """What the capture says of one query; ordinals of inputs are their row ids."""

    rows: list[tuple[Any, ...]]
    columns: list[str]
    exactness: dict[tuple[str, str], str] = field(default_factory=dict)
    witnesses: dict[tuple[str, str], set[tuple[int, int]]] = field(default_factory=dict)
    classes: dict[str, dict[int, tuple[Any, ...]]] = field(default_factory=dict)
    unsupported: str = ""
    coarse: list[str] = field(default_factory=list)
    """What was not understood, where the edges are superset for it."""
    stored: int = 0
    """Rows of all maps."""
    totals: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What the modes key_derivable and summary write of each direct input: records, contributed,
    filtered, unaccounted."""
    sampled: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    """The pairs that the mode summary keeps of each direct input."""
    chosen: dict[str, set[int]] = field(default_factory=dict)
    """The output rows whose pairs those are."""


def capture_lightly(con: duckdb.DuckDBPyConnection, sql: str) -> Captured:
    """The same, with what the modes that store no reverse join say of it."""
    return capture(con, sql, light=True)


def capture(
    con: duckdb.DuckDBPyConnection, sql: str, known: dict[str, Any] | None = None, light: bool = False
) -> Captured:
    """Plan, run and settle ``sql``; unsupported constructs give opaque edges.

    ``known`` keeps the functions of the catalog from one call to the next, where no macro is made
    between them. ``light``: what the modes without reverse joins write, too.
    """

    def execute(statement: str) -> list[tuple[Any, ...]]:
        return con.execute(statement).fetchall()

    catalog = DuckDbCatalog(execute, lambda database, schema, name: name.lower())
    if known is not None:
        vars(catalog).update(known)
    try:
        plan = _bound(con, planned(con, catalog, sql))
    except UnsupportedConstruct as reason:
        return _opaque(con, sql, str(reason))
    if known is not None:
        known.update({k: v for k, v in vars(catalog).items() if k in ("_functions", "_macros") and v})
    execute("BEGIN")
    try:
        captured = _captured(con, execute, plan)
        if light:
            _add_totals(captured, execute, plan)
    except duckdb.Error as bug:
        if type(bug) not in (
            duckdb.Error,
            duckdb.InternalException,
            duckdb.NotImplementedException,
        ):
            raise
        # A fault inside DuckDB (unordered_map::at, say); the pipeline then builds plain.
        execute("ROLLBACK")
        return _opaque(con, sql, f"DuckDB: {str(bug).splitlines()[0]}")
    except BaseException:
        execute("ROLLBACK")
        raise
    execute("ROLLBACK")
    return captured


def _bound(con: duckdb.DuckDBPyConnection, plan: CapturePlan) -> CapturePlan:
    """The plan as it is bound before it runs, where it looks rows up."""
    if not plan.lookups:
        return plan
    side = con.cursor()
    try:
        return bound(lambda statements: side.cursor().execute(statements).fetchall(), plan)[0]
    except duckdb.Error:
        return plan  # what runs will tell
    finally:
        side.close()


def planned(con: duckdb.DuckDBPyConnection, catalog: DuckDbCatalog, sql: str) -> CapturePlan:
    """The plan, as a journey makes it."""
    try:
        prove_round_trip(lambda statement: con.execute(statement).fetchall(), sql)
        return plan_query(sql, catalog)
    except UnsupportedConstruct as reason:
        side = con.cursor()
        found = relations_scanned(lambda statement: side.execute(statement).fetchall(), catalog, sql)
        side.close()
        if found is None:
            raise
        return plan_of_reads(sql, found, reason.message)


def _opaque(con: duckdb.DuckDBPyConnection, sql: str, why: str) -> Captured:
    relation = con.execute(sql)
    columns = [d[0] for d in relation.description or []]
    tables = con.execute("SELECT lower(table_name) FROM duckdb_tables() WHERE NOT temporary")
    captured = Captured([], columns, unsupported=why)
    for (name,) in tables.fetchall():
        captured.exactness[name, "direct"] = "opaque"
    captured.rows = con.execute(sql).fetchall()
    return captured


def _captured(con: duckdb.DuckDBPyConnection, execute: Any, plan: CapturePlan) -> Captured:
    for node in plan.nodes:
        name = "cdme_target" if node.name == ROOT else node.name
        execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {node.sql.format()}")
    hidden = ", ".join(("rowid - (SELECT min(rowid) FROM temp.cdme_target) AS o", *plan.root.hidden))
    execute(f"CREATE OR REPLACE TEMP TABLE {ROOT_ROWS} AS SELECT {hidden} FROM temp.cdme_target")
    for column in plan.root.hidden:
        execute(f"ALTER TABLE temp.cdme_target DROP COLUMN {column}")
    settlement = Settlement(execute, plan)
    accounts = settlement.accounts()
    target = con.execute("SELECT * FROM temp.cdme_target ORDER BY rowid")
    captured = Captured([], [d[0] for d in target.description or []])
    captured.coarse = [one.why for one in plan.coarse]
    captured.rows = target.fetchall()
    for consulted in plan.consulted:
        key = (consulted.relation, consulted.role.value)
        captured.exactness[key] = consulted.exactness.value
    for account in accounts:
        _add(captured, execute, plan, account)
    beside = IndirectSettlement(execute, plan)
    beside.settle()
    for relation, chains in beside.found.items():
        captured.witnesses[relation, "indirect"] = set().union(*(_expanded(execute, c) for c in chains))
        captured.stored += sum(step.rows for chain in chains for step in chain)
    return captured


def _add_totals(captured: Captured, execute: Any, plan: CapturePlan) -> None:
    """The class totals and the sample, once with the lists of lost records and once by counts alone."""
    for keys in (True, False):
        settlement = TotalsSettlement(execute, plan, sample=True, keys=keys)
        for account in settlement.accounts():
            name = account.relation
            lost = f"SELECT count(DISTINCT i) FROM {account.lost}" if account.lost else "SELECT 0"
            assert not keys or execute(lost)[0][0] == account.filtered
            totals = (account.input_count, account.contributed, account.filtered, account.unaccounted)
            assert captured.totals.setdefault(name, totals) == totals
            captured.sampled[name] = set().union(
                *(execute(f"SELECT o, i FROM {chain[0].sql}") for chain in account.chains)
            )
            kept = settlement.kept.get(name, f"temp.{SAMPLED}")
            captured.chosen[name] = {o for (o,) in execute(f"SELECT o FROM {kept}")}
        settlement.clean()


def _expanded(execute: Any, chain: Steps) -> set[tuple[int, int]]:
    """The pairs of a chain of maps, its ranges taken apart."""
    sql = "SELECT DISTINCT o, o AS i FROM " + chain[0].sql
    for step in chain:
        found = "unnest(range(s.lo, s.hi + 1))" if step.ranged else "s.i"
        sql = f"SELECT c.o, {found} AS i FROM ({sql}) AS c JOIN {step.sql} AS s ON s.o = c.i"
    return set(execute(sql))


def _add(captured: Captured, execute: Any, plan: CapturePlan, account: InputAccount) -> None:
    key = (account.relation, "direct")
    captured.exactness[key] = "exact"
    pairs: set[tuple[int, int]] = set()
    for chain in account.chains:
        captured.stored += sum(step.pairs for step in chain)
        sql = chain[0].sql
        joined = f"SELECT m0.o, m{len(chain) - 1}.i FROM {sql} AS m0" + "".join(
            f" JOIN {step.sql} AS m{n} ON m{n}.o = m{n - 1}.i" for n, step in enumerate(chain) if n
        )
        pairs |= set(execute(joined))
    captured.witnesses[key] = pairs
    classes: dict[int, tuple[Any, ...]] = {i: ("contributed",) for _, i in pairs}
    if account.lost:
        for i, number, verdict in execute(f"SELECT i, clause, verdict FROM {account.lost}"):
            clause = plan.clauses[number]
            classes[i] = (
                "filtered", clause.kind.value, clause.sql, VERDICTS[verdict], plan.rank[number],
            )  # fmt: skip
    dense = ordinals(execute, plan.relations[account.relation].quoted)
    for (i,) in execute(f"SELECT ordinal FROM {dense.ranks()}"):
        classes.setdefault(i, ("unaccounted",))
    captured.classes[account.relation] = classes
