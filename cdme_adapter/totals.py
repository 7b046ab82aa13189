"""Control totals: sums of numeric columns that must add up like the counts (``meta.cdme.control_totals``).

A count that balances can hide that the wrong records were counted; a sum says how much was lost. The
sums are taken of the evidence (the records that contributed, those that a clause is shown to have
removed), joined once with the input, and held against the sum of the input itself. NULLs are counted
beside them. Integers and decimals are exact; floating point adds up within 1e-9 of the sum of sizes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import columns_of, ordinals, quote
from cdme_adapter.settle import InputAccount

INPUT, CONTRIBUTED, FILTERED, ERROR, UNACCOUNTED = (
    "input", "contributed", "filtered", "error", "unaccounted",
)  # fmt: skip
TOLERANCE = 1e-9
_EXACT = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|DECIMAL\(.*\)", re.I)
_FLOAT = re.compile(r"FLOAT|DOUBLE|REAL", re.I)


@dataclass(frozen=True)
class Total:
    """The sum of one column over the records of one class; those of ``filtered`` are by clause.

    ``size`` is the sum of absolute values, of floating point columns of the input only.
    """

    column: str
    kind: str
    clause: int | None
    verdict: int | None
    records: int
    nulls: int
    total: str | None
    exact: bool
    size: float = 0.0


def numeric_columns(
    execute: Execute, relation: str, wanted: Iterable[str]
) -> tuple[dict[str, bool], list[str]]:
    """Of the wanted columns, those that can be summed (and whether exactly), and those that are there
    and cannot."""
    types = {name.lower(): (name, kind) for name, kind in columns_of(execute, relation)}
    found: dict[str, bool] = {}
    refused: list[str] = []
    for one in dict.fromkeys(wanted):
        name, kind = types.get(one.lower(), ("", ""))
        if _EXACT.fullmatch(kind) or _FLOAT.fullmatch(kind):
            found[name] = _EXACT.fullmatch(kind) is not None
        elif name:
            refused.append(f"{name} ({kind})")
    return found, refused


def measure(
    execute: Execute, relation: str, columns: dict[str, bool], account: InputAccount
) -> list[Total]:
    """The totals of some columns over the classes of an input's account."""
    evidence = [f"SELECT i, 0 AS class, NULL AS clause, NULL AS verdict FROM {account.reached}"]
    if account.lost:
        evidence.append(f"SELECT i, 1, clause, verdict FROM {account.lost}")
    if account.unaccounted_sql:
        evidence.append(f"SELECT i, 2, NULL, NULL FROM {account.unaccounted_sql}")
    if account.routed:
        evidence.append(f"SELECT i, 3, NULL, NULL FROM {account.routed}")
    names = list(columns)
    listed = ", ".join(quote(name) for name in names)
    rows = f"(SELECT {ordinals(execute, relation).column()} AS __cdme_i, {listed} FROM {relation})"
    found: list[Total] = []
    sums = ", ".join(f"CAST({_sum(n, columns[n])} AS VARCHAR), count({quote(n)})" for n in names)
    kinds = (CONTRIBUTED, FILTERED, UNACCOUNTED, ERROR)
    for kind, clause, verdict, records, *values in execute(
        f"SELECT k.class, k.clause, k.verdict, count(*), {sums} FROM ({' UNION ALL '.join(evidence)}) AS k"
        f" JOIN {rows} AS r ON r.__cdme_i = k.i GROUP BY ALL ORDER BY ALL"
    ):
        for n, name in enumerate(names):
            total, there = values[2 * n], values[2 * n + 1]
            found.append(
                Total(name, kinds[kind], clause, verdict, records, records - there, total, columns[name])
            )
    sizes = ", ".join("NULL" if columns[n] else f"fsum(abs({quote(n)}))" for n in names)
    records, *values = execute(f"SELECT count(*), {sums}, {sizes} FROM {relation}")[0]
    for n, name in enumerate(names):
        total, there, size = values[2 * n], values[2 * n + 1], values[2 * len(names) + n]
        found.append(
            Total(name, INPUT, None, None, records, records - there, total, columns[name], float(size or 0))
        )
    return found


def measure_file(
    execute: Execute, file: str, table: str, columns: dict[str, bool], bad: str = ""
) -> list[Total]:
    """The totals of a file's records that stand in ``table``, and of those that ``bad``, a FROM item of
    (i), says were rejected; each is summed where it lies."""
    numbered = f"(SELECT *, row_number() OVER () - 1 AS __cdme_i FROM {file})"
    parts = [(INPUT, file), (CONTRIBUTED, table)]
    if bad:
        parts.append((ERROR, f"(SELECT r.* FROM {numbered} AS r JOIN {bad} AS b ON r.__cdme_i = b.i)"))
    names, found = list(columns), []
    sums = ", ".join(
        f"CAST({_sum(n, columns[n])} AS VARCHAR), count({quote(n)}), "
        + ("NULL" if columns[n] else f"fsum(abs({quote(n)}))")
        for n in names
    )
    for kind, rows in parts:
        records, *values = execute(f"SELECT count(*), {sums} FROM {rows}")[0]
        for n, name in enumerate(names):
            total, there, size = values[3 * n : 3 * n + 3]
            found.append(
                Total(
                    name, kind, None, None, records, records - there, total, columns[name], float(size or 0)
                )
            )
    return found


def _sum(name: str, exact: bool) -> str:
    return f"sum({quote(name)})" if exact else f"fsum({quote(name)})"


def wrong_totals(totals: Sequence[Total]) -> list[str]:
    """The columns whose sums or NULLs do not add up, each with what was found.

    >>> one = Total("x", INPUT, None, None, 3, 0, "6", True)
    >>> part = Total("x", CONTRIBUTED, None, None, 2, 0, "5", True)
    >>> wrong_totals([one, part])
    ['x: 5 of 6']
    """
    found = []
    for whole in totals:
        if whole.kind != INPUT:
            continue
        parts = [t for t in totals if t.column == whole.column and t.kind in (CONTRIBUTED, FILTERED, ERROR)]
        nulls = sum(part.nulls for part in parts)
        if not _adds_up(whole, parts):
            added = sum(Decimal(part.total) for part in parts if part.total is not None)
            found.append(f"{whole.column}: {added} of {whole.total}")
        elif nulls != whole.nulls:
            found.append(f"{whole.column}: {nulls} NULLs of {whole.nulls}")
    return found


def _adds_up(whole: Total, parts: Sequence[Total]) -> bool:
    given = [part.total for part in parts if part.total is not None]
    if whole.total is None:
        return not given
    if whole.exact:
        return sum(map(Decimal, given), Decimal(0)) == Decimal(whole.total)
    expected, actual = float(whole.total), math.fsum(map(float, given)) if _finite(given) else math.nan
    if not math.isfinite(expected):
        return not _finite(given)  # infinities and NaNs: more cannot be said
    return abs(expected - actual) <= TOLERANCE * max(whole.size, 1e-300)


def _finite(values: Iterable[str]) -> bool:
    return all(math.isfinite(float(value)) for value in values)
