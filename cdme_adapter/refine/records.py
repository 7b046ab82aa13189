"""Writes rejected records into the store: as JSON, personal columns hashed or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Ordinals, columns_of, literal, quote
from cdme_adapter.refine.casts import FIELD
from cdme_adapter.refine.checks import Check
from cdme_adapter.refine.emission import BAD, ORDINAL, REJECTS, Emission
from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

INPUT_REJECTS = "cdme_input_rejects"
Hidden = Mapping[str, str]
"""By the lower-case name of a personal column: the SQL that stands for its value."""


def write_records(
    store: StoreWriter, emission: Emission, run_id: str, model: str, generation: int, hidden: Hidden,
    offset: int = 0,
) -> None:  # fmt: skip
    """Keep what ``emission`` rejected; ``offset`` is the number of the first record."""
    if not emission.rejected:
        return
    arms = [(mask, emission.failed(mask)) for mask in emission.masks]
    first = " ".join(f"WHEN {mask} THEN {literal(failed[0].name)}" for mask, failed in arms)
    every = " ".join(f"WHEN {mask} THEN {_names(failed)}" for mask, failed in arms)
    values = " ".join(f"WHEN {mask} THEN {_offending(emission, failed, hidden)}" for mask, failed in arms)
    left_out = {*emission.extra, *emission.technical}
    columns = [(name, kind) for name, kind in emission.columns if name not in left_out]
    rows = (
        f"SELECT {ORDINAL} + {offset} AS reject, CASE {BAD} {first} END AS failure_type,"
        f" CASE {BAD} {every} END AS failed, CASE {BAD} {values} END AS offending_values,"
        f" {_object(columns, hidden)} AS record FROM temp.{REJECTS}"
    )
    rejects.records(store, run_id, model, generation, rows)
    failing = dict.fromkeys(check for _, failed in arms for check in failed)
    write_reasons(store, generation, list(failing))


def write_reasons(store: StoreWriter, generation: int, checks: list[Check]) -> None:
    """Keep what the checks asked for."""
    rows: list[tuple[Any, ...]] = [(c.name, c.reason_id, c.shown, c.file, c.line) for c in checks]
    rejects.reasons(store, generation, rows)


def _names(failed: list[Check]) -> str:
    return f"[{', '.join(literal(check.name) for check in failed)}]"


def _offending(emission: Emission, failed: list[Check], hidden: Hidden) -> str:
    """The values of the columns that the failed checks name; of a cast, its text."""
    kinds = dict(emission.columns)
    texts = {check.columns[0]: check.shows for check in failed if check.shows}
    names = dict.fromkeys(name for check in failed for name in check.columns)
    pairs = []
    for name in names:
        if name in texts and name.lower() not in hidden:
            pairs.append(f"{literal(name)}, {quote(texts[name])}.{FIELD}")
        else:
            pairs.append(f"{literal(name)}, {_value(name, kinds.get(name, 'VARCHAR'), hidden)}")
    return f"json_object({', '.join(pairs)})"


def _object(columns: list[tuple[str, str]], hidden: Hidden) -> str:
    return f"json_object({_pairs(columns, hidden)})"


def _pairs(columns: list[tuple[str, str]], hidden: Hidden) -> str:
    return ", ".join(f"{literal(name)}, {_value(name, kind, hidden)}" for name, kind in columns)


def _value(name: str, kind: str, hidden: Hidden) -> str:
    """A column as JSON has it: numbers that JSON lacks as text, decimals as DuckDB prints them."""
    column = quote(name)
    if name.lower() in hidden:
        return hidden[name.lower()]
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN isfinite({column}) THEN to_json({column}) ELSE to_json({column}::VARCHAR) END"
    if kind.startswith("DECIMAL"):
        return f"{column}::VARCHAR"
    return column


@dataclass(frozen=True)
class InputErrors:
    """Records of one stored input that a model kept out.

    ``rows`` is a FROM item of (i, clause), i being row ids; ``count`` is the input's records; ``hidden``
    are the input's own personal columns.
    """

    relation: str
    rows: str
    errors: int
    count: int
    ordinals: Ordinals
    checks: Mapping[int, Check]
    hidden: Hidden


def write_input_records(
    execute: Execute, store: StoreWriter, run_id: str, model: str, generation: int, found: InputErrors,
    offset: int,
) -> None:  # fmt: skip
    """Keep input records that were kept out; their numbers and ordinals stay in a temporary table."""
    hidden = found.hidden
    columns = columns_of(execute, f"SELECT * FROM {found.relation}")
    names = {c: literal(check.name) for c, check in found.checks.items()}
    failure = f"CASE clause {' '.join(f'WHEN {c} THEN {name}' for c, name in names.items())} END"
    kinds = dict(columns)
    values = " ".join(
        f"WHEN {c} THEN json_object({_pairs([(n, kinds[n]) for n in check.columns if n in kinds], hidden)})"
        for c, check in found.checks.items()
    )
    numbered = (
        f"SELECT row_number() OVER (ORDER BY i) - 1 AS {ORDINAL}, i AS r, i, clause FROM {found.rows}"
    )
    execute(
        f"CREATE OR REPLACE TEMP TABLE {INPUT_REJECTS} AS SELECT * FROM"
        f" {found.ordinals.over(f'({numbered})', f'{ORDINAL}, r, clause')}"
    )
    rows = (
        f"SELECT {ORDINAL} + {offset} AS reject, {failure} AS failure_type, [{failure}] AS failed,"
        f" CASE clause {values} END AS offending_values, {_object(columns, hidden)} AS record FROM"
        f" {found.relation} AS __cdme_x JOIN temp.{INPUT_REJECTS} AS __cdme_y"
        " ON __cdme_x.rowid = __cdme_y.r"
    )
    rejects.records(store, run_id, model, generation, rows)
    write_reasons(store, generation, list(dict.fromkeys(found.checks.values())))


def rows_of_table(relation: str) -> str:
    """A SELECT of a table's rows with their row ids."""
    return f"SELECT rowid AS __cdme_row, * FROM {relation}"


def emission_of_table(execute: Execute, emission: Emission, relation: str) -> None:
    """Judge the rows that already stand in a table and take the bad ones out of it.

    For what builds its table without a query that CDME could wrap: python models, seeds.
    """
    emission.run(execute, rows_of_table(relation))
    if emission.rejected:
        execute(f"DELETE FROM {relation} WHERE rowid IN (SELECT __cdme_row FROM temp.{REJECTS})")
