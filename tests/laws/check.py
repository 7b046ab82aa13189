"""One generated case put to the laws: oracle against DuckDB, then capture against the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import sqlglot

from tests.laws.compare import Capture, compare
from tests.laws.generate import Case, has_ended
from tests.laws.large import as_drawn
from tests.oracle.interpreter import Explained, explain, same_values
from tests.oracle.model import OracleError

SAMPLE = 1000
"""Of how many rows the mode summary keeps the witnesses (decision 0037)."""
Capturing = Callable[[duckdb.DuckDBPyConnection, str], Capture]


@dataclass
class Outcome:
    """What became of one case."""

    problems: list[str] = field(default_factory=list)
    exactness: Counter[str] = field(default_factory=Counter)
    direct: Counter[str] = field(default_factory=Counter)
    """The direct edges alone, by exactness."""
    records: Counter[str] = field(default_factory=Counter)
    """Input records by class, as the oracle has them: a case without contributions shows little."""
    coarse: list[str] = field(default_factory=list)
    """What the capture did not understand."""
    fault: str = ""
    """DuckDB's own fault: nothing was compared."""
    invalid: str = ""
    """DuckDB's refusal: a defect of the generator."""


def check(case: Case, capture: Capturing | None) -> Outcome:
    """Every disagreement over one case; without a capture only the oracle is checked."""
    outcome = _check(case, capture)
    if has_ended():
        return Outcome(fault="DuckDB ends itself by an internal error")
    return outcome


def _check(case: Case, capture: Capturing | None) -> Outcome:
    outcome = Outcome()
    connection = case.connection()
    try:
        connection.execute(case.sql).fetchall()
    except duckdb.Error as error:
        outcome.invalid = str(error)
        return outcome
    try:
        explained = explain(connection, case.sql)
    except Exception as error:
        outcome.problems.append(f"oracle: {type(error).__name__} {error}")
        return outcome
    if not case.tied and not same_values(connection, case.sql, explained):
        if _unoptimised(connection, case.sql, explained):
            outcome.fault = "DuckDB's optimiser changes the rows"
        else:
            outcome.problems.append("oracle: other rows than DuckDB's")
        return outcome
    for relation, classes in explained.classes.items():
        outcome.records.update(found.name for found in classes.values())
        lost = [i for i, found in classes.items() if found.name == "unaccounted"]
        if lost:
            outcome.problems.append(f"oracle: {relation} {lost} unaccounted")
    if capture is None:
        return outcome
    try:
        with as_drawn(case.sql):
            captured = capture(connection, case.sql)
    except Exception as error:
        outcome.problems.append(f"capture raises {type(error).__name__}: {error}")
        return outcome
    outcome.coarse = [*captured.coarse, *([captured.unsupported] if captured.unsupported else [])]
    report = compare(explained, captured, case.tied)
    outcome.problems.extend(report.problems)
    outcome.problems.extend(_light_problems(captured))
    outcome.exactness = report.exactness
    if outcome.problems and _agree_unoptimised(connection, case, explained, capture):
        return Outcome(fault="DuckDB's optimiser changes the rows of the capture")
    if outcome.problems and not case.tied and differs_within(connection, case.sql):
        return Outcome(fault="DuckDB gives other rows for a part of the query of the capture")
    outcome.direct.update(e for (_, role), e in captured.exactness.items() if role == "direct")
    return outcome


def _unoptimised(connection: duckdb.DuckDBPyConnection, sql: str, explained: Explained) -> bool:
    """Whether DuckDB gives the oracle's rows once its optimiser is off: then the fault is its own."""
    connection.execute("PRAGMA disable_optimizer")
    try:
        return same_values(connection, sql, explained)
    finally:
        connection.execute("PRAGMA enable_optimizer")


def _agree_unoptimised(
    connection: duckdb.DuckDBPyConnection, case: Case, explained: Explained, capture: Capturing
) -> bool:
    """Whether nothing is left to say once DuckDB's optimiser is off.

    Then a query of the capture gave rows that the same query without the optimiser does not give.
    """
    connection.execute("PRAGMA disable_optimizer")
    try:
        with as_drawn(case.sql):
            captured = capture(connection, case.sql)
        return not compare(explained, captured, case.tied).problems and not _light_problems(captured)
    except duckdb.Error:
        return False
    finally:
        connection.execute("PRAGMA enable_optimizer")


def differs_within(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether DuckDB's rows of a view or of a CTE are not those that the oracle gives, though those of
    the whole query are: then the capture tells of rows that the engine should not have lost. Of a tied
    query that says nothing, its parts may be tied too."""
    whole = sqlglot.parse_one(sql, read="duckdb")
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    parts = [f"SELECT * FROM {view}" for (view,) in views]
    ctes = [name.alias for name in getattr(whole.args.get("with_"), "expressions", ())]
    if ctes:
        head = whole.args["with_"].sql("duckdb")
        parts += [f'{head} SELECT * FROM "{name}"' for name in ctes]
    return any(_differs(connection, part) for part in parts)


def _differs(connection: duckdb.DuckDBPyConnection, part: str) -> bool:
    try:
        return not same_values(connection, part, explain(connection, part))
    except (duckdb.Error, OracleError):
        return False


def _light_problems(captured: Capture) -> list[str]:
    """Where the modes without reverse joins say other than mode full, which the oracle judged."""
    problems = []
    for relation, (count, *totals) in getattr(captured, "totals", {}).items():
        classes = Counter(found[0] for found in captured.classes[relation].values())
        full = [classes["contributed"], classes["filtered"], classes["unaccounted"]]
        if totals != full or count != sum(classes.values()):
            problems.append(f"light: {relation} {totals} of {count}, not {full}")
        chosen = captured.chosen[relation]
        if len(chosen) != min(len(captured.rows), SAMPLE):
            problems.append(f"light: {len(chosen)} rows of {len(captured.rows)} are sampled")
        every = captured.witnesses[relation, "direct"]
        if captured.sampled[relation] != {(o, i) for o, i in every if o in chosen}:
            problems.append(f"light: the sampled witnesses of {relation} are others")
    return problems


def category(problem: str) -> str:
    """What kind of disagreement this is, names and numbers left out.

    >>> category("edge ('t2', 'indirect') is missing")
    'edge indirect is missing'
    """
    if problem.startswith("edge"):
        role = next((r for r in ("indirect", "guard", "direct") if f"'{r}'" in problem), "")
        return f"edge {role} {'is missing' if 'missing' in problem else 'does not exist'}"
    if problem.startswith("capture raises"):
        return " ".join(problem.split()[:5])
    if problem.startswith("oracle"):
        return "oracle"
    for word in ("unaccounted", "witnesses", "out of order", "clause", "classes", "output"):
        if word in problem:
            return word
    return "class"
