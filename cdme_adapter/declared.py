"""Witnesses that a model declares: what its SQL cannot show, a python model's above all.

``meta.cdme.witnesses: {orders: id}`` says: the witnesses of a row in ``orders`` are the records with
the row's ``id``. The claim is the user's; it is checked as far as it can be: a row whose columns name
no record of the input refutes it, and then the edge is opaque. That a record is in no row is no evidence
that a clause removed it: such records are unaccounted, the status is UNKNOWN, and a finding says so;
those that a rejected row names are in class error (docs/concepts.md, Declared witnesses).
"""

from __future__ import annotations

from collections.abc import Mapping

from cdme_adapter.accounting import LedgerEntry, Status
from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.engines.rows import Columns, columns_of, ordinals
from cdme_adapter.errors import ConfigError, Finding
from cdme_adapter.maps import Chain, Map
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.provenance import Exactness, Role, cardinality, stable_id
from cdme_adapter.refine.emission import ORDINAL, REJECTS
from cdme_adapter.refine.sources import write_chains
from cdme_adapter.store.writer import StoreWriter

_PAIRS = "cdme_declared"
_ROUTED = "cdme_declared_rejects"
_IN_PLACE = ("incremental", "snapshot", "external")


def settle_declared(journey: Journey, execute: Execute, store: StoreWriter, target: Target) -> None:
    """Account for a model that was not captured by the witnesses that it declares.

    Raises ConfigError where a declared column does not exist.
    """
    parents = journey.nodes.stored_parents(journey.node)
    declared = {}
    for name, columns in journey.config.witnesses.items():
        parent = journey.nodes.resolve(name, parents)
        if parent is None:
            _say(journey, "WITNESS_INPUT", f"witnesses names {name}, which is no stored input of the model")
        else:
            declared[parent] = columns
    if journey.captured or journey.node.materialized in _IN_PLACE or not declared:
        what = "what was captured from its SQL" if journey.captured else "the rows of earlier runs"
        _say(journey, "WITNESS_IGNORED", f"witnesses is not used: it cannot speak for {what}")
        return
    journey.entries.clear()
    journey.output_count = int(execute(f"SELECT count(*) FROM {target.quoted}")[0][0])
    journey._register_output(execute, store, target)
    why_not = journey.why_not or f"a {journey.node.language} model, and witnesses does not name the input"
    for parent in parents:
        if parent in declared:
            _edge(journey, execute, store, target, parent, declared[parent])
        else:
            journey.write_opaque(store, parent, why_not)
    journey.captured = True


def _edge(
    journey: Journey, execute: Execute, store: StoreWriter, target: Target, parent: str,
    columns: Mapping[str, str],
) -> None:  # fmt: skip
    node = journey.nodes.by_id[parent]
    catalog = DuckDbCatalog(execute, journey.nodes.identify)
    info = catalog.relation(node.database, node.schema, node.identifier)
    if info is None or info.view_sql is not None or "rowid" in {c.lower() for c in info.columns}:
        return journey.write_opaque(store, parent, "its records have no row ids to declare witnesses by")
    rows = f"(SELECT {ordinals(execute, target.quoted).column()} AS __cdme_o, * FROM {target.quoted})"
    ours = columns_of(execute, target.quoted)
    pairs = _pairs(journey, execute, target.quoted, rows, ours, info, columns)
    execute(f"CREATE OR REPLACE TEMP TABLE {_PAIRS} AS {pairs}")
    unmatched, contributed, per_output, per_input = execute(
        "SELECT count(*) FILTER (i IS NULL AND said), count(DISTINCT i),"
        f" (SELECT max(n) FROM (SELECT count(i) AS n FROM temp.{_PAIRS} GROUP BY o)),"
        f" (SELECT max(n) FROM (SELECT count(o) AS n FROM temp.{_PAIRS} WHERE i IS NOT NULL GROUP BY i))"
        f" FROM temp.{_PAIRS}"
    )[0]
    if unmatched:
        execute(f"DROP TABLE temp.{_PAIRS}")
        why = f"{unmatched:,} rows name no record of {parent} by {', '.join(columns)}"
        _say(journey, "WITNESS_REFUTED", f"the declared witnesses do not hold: {why}")
        return journey.write_opaque(store, parent, why)
    seen = journey.generations.of_input(execute, store, info, journey.node.pre_hooked)
    edge = stable_id("edge", journey.run_id, journey.node.id, parent, Role.DIRECT.value)
    observed = cardinality(per_output or 0, per_input or 0)
    total = seen.row_count or 0
    errors, refused = _routed(journey, execute, info, columns)
    lost = total - contributed - errors
    why = f"{lost:,} records are in no row, and no clause shows why" if lost else ""
    journey._edge(store, edge, parent, Role.DIRECT, Exactness.EXACT, observed, seen, why)
    found = f"SELECT o, i FROM temp.{_PAIRS} WHERE i IS NOT NULL"
    store.chain(edge, 0, [(stable_id("map", str(edge), "0", "0"), found)])
    write_chains(execute, store, journey, edge, info, seen, refused)
    execute(f"DROP TABLE temp.{_PAIRS}; DROP TABLE IF EXISTS temp.{_ROUTED}")
    journey.entries.append(
        LedgerEntry(
            journey.run_id, journey.node.id, parent, Role.DIRECT, Exactness.EXACT,
            journey.config.lineage_mode, observed, total, contributed, 0, errors, lost, 0,
            journey.output_count, Status.UNKNOWN if lost else Status.BALANCED, (), 0, why,
        )
    )  # fmt: skip
    if lost:
        _say(journey, "WITNESS_LOSS", f"of {parent}, {why}")


def _routed(
    journey: Journey, execute: Execute, info: RelationInfo, columns: Mapping[str, str]
) -> tuple[int, tuple[Chain, ...]]:
    """The records of an input that only rejected rows name, and the way to them from those rows."""
    refinery = journey.refinery
    if refinery is None or refinery.emission is None or not refinery.emission.rejected:
        return 0, ()
    rows = f"(SELECT {ORDINAL} AS __cdme_o, * EXCLUDE ({ORDINAL}) FROM temp.{REJECTS})"
    pairs = _pairs(journey, execute, "the rejected rows", rows, refinery.emission.columns, info, columns)
    execute(f"CREATE OR REPLACE TEMP TABLE {_ROUTED} AS SELECT o, i FROM ({pairs}) WHERE i IS NOT NULL")
    good = f"SELECT i FROM temp.{_PAIRS} WHERE i IS NOT NULL"
    count, errors = execute(
        f"SELECT count(*), count(DISTINCT i) FILTER (i NOT IN ({good})) FROM temp.{_ROUTED}"
    )[0]
    return int(errors), ((Map(f"temp.{_ROUTED}", int(count)),),)


def _pairs(
    journey: Journey, execute: Execute, target: str, rows: str, given_columns: Columns,
    info: RelationInfo, columns: Mapping[str, str],
) -> str:  # fmt: skip
    """A SELECT of (o, i, whether the row names a record at all), ``i`` NULL where there is none.

    ``rows`` is a FROM item of ``__cdme_o`` and the model's columns.
    """
    ours = {name.lower(): (name, kind) for name, kind in given_columns}
    theirs = {name.lower(): (name, kind) for name, kind in columns_of(execute, info.quoted)}
    equal, given = [], []
    for mine, other in columns.items():
        for name, there, relation in ((mine, ours, target), (other, theirs, info.quoted)):
            if name.lower() not in there:
                raise ConfigError(
                    f"meta.cdme witnesses names {name!r}, which is no column of {relation}",
                    code="WITNESS_COLUMN_MISSING", model=journey.node.id, place=journey.place,
                    remedy=f"columns are {', '.join(found for found, _ in there.values())}",
                )  # fmt: skip
        (left, kind), (right, other_kind) = ours[mine.lower()], theirs[other.lower()]
        sides = f"t.{quote(left)}", f"s.{quote(right)}"
        text = kind != other_kind  # no cast to text can fail
        equal.append(" = ".join(f"CAST({side} AS VARCHAR)" if text else side for side in sides))
        given.append(f"{sides[0]} IS NOT NULL")
    right_rows = f"(SELECT {ordinals(execute, info.quoted).column()} AS __cdme_i, * FROM {info.quoted})"
    return (
        f"SELECT t.__cdme_o AS o, s.__cdme_i AS i, {' AND '.join(given)} AS said FROM {rows} AS t"
        f" LEFT JOIN {right_rows} AS s ON {' AND '.join(equal)}"
    )


def _say(journey: Journey, code: str, message: str) -> None:
    journey.findings.append(
        Finding(code, message, "warn", journey.node.id, journey.place,
                "mend meta.cdme.witnesses, or leave it out")
    )  # fmt: skip
