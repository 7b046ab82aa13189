"""Lines of CSV files that do not parse: where refinements are declared they are error records.

DuckDB notes such lines in two temporary tables while it goes on with the others. Where nothing is
declared nothing is asked of it, and the model fails as with dbt-duckdb.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.sqltext import touch
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.provenance import stable_id
from cdme_adapter.refine.checks import Check
from cdme_adapter.refine.records import write_reasons
from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey

ERRORS = "cdme_reject_errors"
SCANS = "cdme_reject_scans"
LINES = "cdme_lines"
NOT_PARSED = "not_parsed"
OPTIONS = {"store_rejects": "true", "rejects_table": literal(ERRORS), "rejects_scan": literal(SCANS)}
_CSV = re.compile(r"\.(csv|tsv)(\.(gz|zst))?$", re.I)
_COPY = re.compile(r"^\s*COPY\s.*\(\s*FORMAT CSV,", re.I | re.S)


def reads_csv(sql: str) -> bool:
    """Whether a text may read a CSV file."""
    return bool(re.search(r"read_csv|\.[ct]sv\b", sql, re.I))


def note_lines(tree: exp.Expr) -> None:
    """Rewrite every scan of a CSV file in ``tree`` so that lines that do not parse are noted."""
    options = ", ".join(f"{name} = {value}" for name, value in OPTIONS.items())
    for table in list(tree.find_all(exp.Table)):
        scan = table.this
        if isinstance(scan, exp.Identifier) and not table.db and _CSV.search(scan.name):
            scan = exp.Anonymous(this="read_csv", expressions=[exp.Literal.string(scan.name)])
        named = isinstance(scan, exp.Anonymous) and str(scan.this).lower() in ("read_csv", "read_csv_auto")
        if not (named or isinstance(scan, exp.ReadCSV)):
            continue
        given = {e.this.name.lower() for e in scan.expressions if isinstance(e, (exp.EQ, exp.PropertyEQ))}
        if given & {*OPTIONS, "ignore_errors"}:
            continue
        more: list[exp.Expr] = exp.maybe_parse(f"f({options})", dialect="duckdb").expressions
        scan.set("expressions", [*scan.expressions, *more])
        table.set("this", scan)
        touch(scan)


def noting_copy(sql: str) -> str:
    """A seed's COPY that notes lines that do not parse; any other statement as it is.

    >>> noting_copy("COPY t FROM 'a.csv' (FORMAT CSV, HEADER TRUE)")[:55]
    "COPY t FROM 'a.csv' (FORMAT CSV, STORE_REJECTS true, RE"
    """
    if not _COPY.search(sql):
        return sql
    options = ", ".join(f"{name.upper()} {value}" for name, value in OPTIONS.items())
    return re.sub(r"\(\s*FORMAT CSV,", lambda _: f"(FORMAT CSV, {options},", sql, count=1, flags=re.I)


def forget_lines(execute: Execute) -> None:
    """Drop what an earlier statement of the connection noted."""
    for name in (ERRORS, SCANS, LINES):
        execute(f"DROP TABLE IF EXISTS temp.{name}")


def collect_lines(execute: Execute) -> int:
    """Gather the lines that did not parse into ``temp.cdme_lines``; how many there are."""
    there = execute(f"SELECT 1 FROM duckdb_tables() WHERE temporary AND table_name = '{ERRORS}'")
    if not there:
        return 0
    execute(
        f"CREATE OR REPLACE TEMP TABLE {LINES} AS SELECT row_number() OVER (ORDER BY file_path, line) - 1"
        " AS k, * FROM (SELECT s.file_path, e.line, any_value(e.csv_line) AS text,"
        " list(DISTINCT e.column_name) FILTER (e.column_name IS NOT NULL) AS columns,"
        f" string_agg(DISTINCT lower(e.error_type::VARCHAR), ', ') AS errors FROM temp.{ERRORS} AS e JOIN"
        f" (SELECT DISTINCT scan_id, file_id, file_path FROM temp.{SCANS}) AS s USING (scan_id, file_id)"
        " GROUP BY ALL)"
    )
    return int(execute(f"SELECT count(*) FROM temp.{LINES}")[0][0])


def from_root(path: str, root: str) -> str:
    """The SQL of a file's path, seen from the project's folder where the file lies in it."""
    folder = root.rstrip("/") + "/"
    return (
        f"CASE WHEN starts_with({path}, {literal(folder)}) THEN substr({path}, {len(folder) + 1})"
        f" ELSE {path} END"
    )


def write_lines(
    execute: Execute, store: StoreWriter, journey: Journey, offset: int,
    seed: tuple[rejects.RejectEdge, int] | None = None,
) -> None:  # fmt: skip
    """Write the gathered lines as error records, numbered from ``offset``.

    ``seed``: the edge from a seed's file and the ordinal of the first line. Else the edges are of the
    lines alone. What a line says is left out where the node has personal columns. Files of the project are
    named from its folder, so that the same file gives the same records wherever the project lies.
    """
    node, generation = journey.node, journey.generation
    text = "'***'" if journey.hidden(node.id) else "text"
    file = from_root("file_path", journey.root)
    rows = (
        f"SELECT k + {offset} AS reject, '{NOT_PARSED}' AS failure_type, ['{NOT_PARSED}'] AS failed,"
        f" json_object('file', {file}, 'line', line, 'columns', columns, 'error', errors)"
        f" AS offending_values, json_object('file', {file}, 'line', line, 'text', {text}) AS record"
        f" FROM temp.{LINES}"
    )
    rejects.records(store, journey.run_id, node.id, generation, rows)
    check = Check(
        NOT_PARSED, "the line of the file has the columns and types that are read", file=node.file
    )
    write_reasons(store, generation, [check])
    for (path,) in execute(f"SELECT DISTINCT file_path FROM temp.{LINES} ORDER BY 1"):
        name = f"file.{path}"
        alone = rejects.RejectEdge(
            stable_id("lines", str(generation), path), name, None, path, None, json.dumps([name, node.id])
        )
        found, first = seed or (alone, 0)
        mine = f"temp.{LINES} WHERE file_path = {literal(path)}"
        pairs = f"SELECT k + {offset} AS o, k + {first} AS i FROM {mine}"
        steps = [(stable_id("line map", str(generation), path), pairs)]
        rejects.sources(store, generation, node.id, found, 1_000_000, steps)
