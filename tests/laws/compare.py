"""What the capture says against what the oracle says, edge by edge and record by record.

Exact edges must agree in full, superset edges must contain the truth, opaque edges claim nothing.
Output records are matched by their values and witnesses, for their order is not defined.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import networkx
import sqlglot
from sqlglot import exp

from tests.oracle.interpreter import Explained, Verdict, rounded
from tests.oracle.macros import with_macros
from tests.oracle.model import Row

Key = tuple[str, str]


class Capture(Protocol):
    """What the harness returns of a captured query."""

    rows: list[tuple[Any, ...]]
    exactness: dict[Key, str]
    witnesses: dict[Key, set[tuple[int, int]]]
    classes: dict[str, dict[int, tuple[Any, ...]]]
    unsupported: str
    coarse: list[str]


@dataclass
class Report:
    """The disagreements of one query, and how much of it was claimed exactly."""

    problems: list[str] = field(default_factory=list)
    exactness: Counter[str] = field(default_factory=Counter)
    """Edges by exactness: an empty success cannot pass for a success."""


def compare(explained: Explained, captured: Capture, tied: bool = False) -> Report:
    """Every disagreement. Of a tied query only the account is compared, not who won the tie."""
    report = Report()
    report.exactness.update(captured.exactness.values())
    _edges(report, explained, captured)
    _accounts(report, explained, captured)
    if not tied:
        _rows(report, explained, captured)
        for relation, classes in explained.classes.items():
            _classes(report, relation, classes, captured)
    return report


def _edges(report: Report, explained: Explained, captured: Capture) -> None:
    """The same edges on both sides; a guard inside a subquery may be either role."""
    if "opaque" in captured.exactness.values():
        return
    either = {relation for relation, role in explained.edges if role == "nested_guard"}
    ours = {edge for edge in explained.edges if edge[1] != "nested_guard"}
    theirs = set(captured.exactness)
    for edge in sorted(ours - theirs):
        report.problems.append(f"edge {edge} is missing")
    for relation, role in sorted(theirs - ours):
        if role == "direct" or relation not in either:
            report.problems.append(f"edge {(relation, role)} does not exist")
    for relation in sorted(either):
        if not {(relation, "indirect"), (relation, "guard")} & theirs:
            report.problems.append(f"edge of {relation} inside a subquery is missing")


def _accounts(report: Report, explained: Explained, captured: Capture) -> None:
    """Every record of an exact direct edge in one class; contributed exactly if a witness."""
    for relation, classes in explained.classes.items():
        key = (relation, "direct")
        if captured.exactness.get(key) != "exact":
            continue
        theirs = captured.classes.get(relation, {})
        if set(theirs) != set(classes):
            report.problems.append(f"{relation}: classes of {sorted(theirs)}, records {sorted(classes)}")
        witnesses = {i for _, i in captured.witnesses.get(key, set())}
        claimed = {i for i, found in theirs.items() if found[0] == "contributed"}
        if witnesses != claimed:
            report.problems.append(f"{relation}: contributed {claimed}, but witnesses {witnesses}")
        lost = sorted(i for i, found in theirs.items() if found[0] == "unaccounted")
        expected = sorted(i for i, found in classes.items() if found.name == "unaccounted")
        if lost != expected:
            report.problems.append(f"{relation}: unaccounted {lost}, expected {expected}")


def _classes(report: Report, relation: str, classes: dict[int, Verdict], captured: Capture) -> None:
    if captured.exactness.get((relation, "direct")) != "exact":
        return
    theirs = captured.classes.get(relation, {})
    places: dict[int, set[Any]] = defaultdict(set)
    for i, ours in classes.items():
        found = theirs.get(i, ("absent",))
        if found[0] != ours.name:
            report.problems.append(f"{relation}[{i}]: {found} instead of {ours}")
        elif ours.name == "filtered":
            _reason(report, relation, i, ours, found)
            places[ours.position].add(found[4])
    order = [places[position] for position in sorted(places)]
    for before, after in itertools.pairwise(order):
        if None not in before | after and max(before) > min(after):
            report.problems.append(f"{relation}: reasons out of order: {order}")


def _reason(report: Report, relation: str, i: int, ours: Verdict, found: tuple[Any, ...]) -> None:
    _, kind, sql, verdict = found[:4]
    if (kind, verdict) != (ours.kind, ours.verdict):
        report.problems.append(f"{relation}[{i}]: {found} instead of {ours}")
    elif ours.kind in ("where", "having", "qualify") and normal(sql) != normal(ours.sql):
        report.problems.append(f"{relation}[{i}]: clause {sql!r} instead of {ours.sql!r}")


def normal(sql: str) -> str:
    """A clause without qualifiers, quotes, case and parentheses around it, macros written out.

    >>> normal('("T"."a" > 1)') == normal("a > 1")
    True
    """
    sql = re.sub(r"\((\d+)\) PERCENT", r"\1 PERCENT", sql)  # as DuckDB prints the text of a view
    tree = with_macros(sqlglot.parse_one(sql, read="duckdb"))
    for column in tree.find_all(exp.Column):
        column.set("table", None)
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", False)
    for alias in tree.find_all(exp.TableAlias):
        alias.pop()
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree.sql("duckdb").lower()


def _rows(report: Report, explained: Explained, captured: Capture) -> None:
    """A pairing of the output records under which every edge holds."""
    ours: dict[Any, list[Row]] = defaultdict(list)
    theirs: dict[Any, list[int]] = defaultdict(list)
    for row in explained.rows:
        ours[rounded(row.values)].append(row)
    for o, values in enumerate(captured.rows):
        theirs[rounded(values)].append(o)
    if {k: len(v) for k, v in ours.items()} != {k: len(v) for k, v in theirs.items()}:
        report.problems.append(f"output {sorted(map(str, captured.rows))} differs")
        return
    found = {
        key: _by_output(captured.witnesses.get(key, set()))
        for key, exactness in captured.exactness.items()
        if key[1] != "guard" and _claims(key, exactness, captured)
    }
    for values, rows in ours.items():
        options = [
            [o for o in theirs[values] if all(_holds(row, o, key, captured, found[key]) for key in found)]
            for row in rows
        ]
        if not _pairing(options):
            report.problems.append(_difference(values, rows, theirs[values], found))


def _claims(key: Key, exactness: str, captured: Capture) -> bool:
    """Whether an edge says which records; a superset that names none means the whole relation."""
    return exactness == "exact" or (exactness == "superset" and key in captured.witnesses)


def _by_output(pairs: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    result: dict[int, set[int]] = defaultdict(set)
    for o, i in pairs:
        result[o].add(i)
    return result


def required(row: Row, key: Key) -> set[int]:
    """The records of one edge that are witnesses of an oracle row."""
    records = row.prov.direct if key[1] == "direct" else row.prov.indirect
    return {i for relation, i in records if relation == key[0]}


def _holds(row: Row, o: int, key: Key, captured: Capture, found: dict[int, set[int]]) -> bool:
    must, have = required(row, key), found.get(o, set())
    if captured.exactness[key] == "superset":
        return must <= have
    allowed = {i for relation, i in row.prov.may if relation == key[0]} if key[1] == "indirect" else set()
    return must <= have <= must | allowed


def _pairing(options: list[list[int]]) -> bool:
    """Whether every row can be given an output of its own."""
    if not all(options):
        return False
    rows = [("row", place) for place in range(len(options))]
    graph = networkx.Graph((row, o) for row, outputs in zip(rows, options, strict=True) for o in outputs)
    matched = networkx.bipartite.maximum_matching(graph, top_nodes=rows)
    return all(row in matched for row in rows)


def _difference(
    values: Any, rows: list[Row], outputs: list[int], found: dict[Key, dict[int, set[int]]]
) -> str:
    lines = [f"witnesses of {values}:"]
    for key, of_output in found.items():
        ours = sorted(sorted(required(row, key)) for row in rows)
        theirs = sorted(sorted(of_output.get(o, set())) for o in outputs)
        if ours != theirs:
            lines.append(f"  {key}: captured {theirs} instead of {ours}")
    return "\n".join(lines)
