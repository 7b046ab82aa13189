"""Evidence that a clause removed a record, as SQL: which rows, and the loss of each.

A *loss* is eight times the rank of the clause plus seven less the verdict, so that the greatest is the one
that counts. Plain texts over the templates of a plan; nothing here runs a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdme_adapter.accounting import Verdict
from cdme_adapter.capture.plan import HIDDEN, CaseCheck

ALL_NULL = 5
"""A verdict of joins and subqueries that is ``null`` only if no other occurrence of the record says
otherwise at the same clause; where it stands it becomes ``null``."""
NUMBERS = {verdict.value: verdict.number for verdict in Verdict} | {"all_null": ALL_NULL}


@dataclass(frozen=True)
class Evidence:
    """A SELECT of (i, code) and the loss that a code means, NULL for none; without ``loss`` the SELECT
    gives (i, loss) itself. Codes are what is cheap to sort rows by: a loss is made for each of the few
    codes, not for each row."""

    select: str
    loss: str = ""

    @property
    def rows(self) -> str:
        """A SELECT of (i, loss); rows with a NULL loss have none."""
        return f"SELECT i, {self.loss} AS loss FROM ({self.select})" if self.loss else self.select

    @property
    def codes(self) -> str:
        """A FROM item of (i, code)."""
        return f"({self.select})" if self.loss else f"(SELECT i, loss AS code FROM ({self.select}))"


def loss_of(rank: int, verdict: int | str) -> str:
    """A loss; ``verdict`` is its number, or an expression that gives it."""
    return f"{rank * 8 + 7 - verdict}" if isinstance(verdict, int) else f"({rank * 8 + 7} - {verdict})"


def shown(lost: str) -> str:
    """The rows of (i, loss) that have evidence."""
    return f"(FROM {lost} WHERE loss IS NOT NULL)"


def in_template(sql: str) -> str:
    """SQL inside a template: its braces, but for the port's, stay as they are."""
    return sql.replace("{", "{{").replace("}", "}}").replace("{{port}}", "{port}")


def coded(columns: Sequence[tuple[int, str]], passed: int) -> str:
    """How far a row gets through conjuncts that are there as columns, (place, column) in order: twice the
    place of the first that is not TRUE, plus one where it is FALSE and not NULL; ``passed`` for all.

    >>> coded([(0, "b")], 2)
    'CASE WHEN b THEN 2 WHEN b IS NULL THEN 0 ELSE 1 END'
    """
    code = str(passed)
    for place, name in reversed(columns):
        null, false = 2 * place, 2 * place + 1
        code = f"CASE WHEN {name} THEN {code} WHEN {name} IS NULL THEN {null} ELSE {false} END"
    return code


def case_sql(check: CaseCheck) -> str:
    """The last conjunct that a derivation of each record failed: 2 × place, + 1 if FALSE.

    Conjuncts without subqueries are evaluated once, under TRY, for every row in question; others
    only for the rows that the ones before them let pass.
    """
    plain = check.plain or (True,) * len(check.conjuncts)
    passed = "".join(f" AND ({template})" for template in check.before)
    body = f"FROM {check.from_sql} WHERE {{port}} IN (SELECT i FROM {{cur}}){passed}"
    code = str(2 * len(check.conjuncts))
    if all(plain):
        names = [f"{HIDDEN}b{place}" for place in range(len(check.conjuncts))]
        columns = ", ".join(f"TRY({c}) AS {n}" for c, n in zip(check.conjuncts, names, strict=True))
        code = coded(list(enumerate(names)), 2 * len(names))
        body = f"FROM (SELECT {{port}}, {columns} {body})"
    else:
        for place, (template, safe) in reversed(list(enumerate(zip(check.conjuncts, plain, strict=True)))):
            one = f"TRY({template})" if safe else f"({template})"
            code = f"CASE WHEN {one} THEN {code} ELSE {2 * place} + CAST({one} IS FALSE AS INTEGER) END"
    if check.single:
        return f"SELECT {{port}} AS i, ({code})::UTINYINT AS code {body}"
    return f"SELECT {{port}} AS i, max({code}) AS code {body} GROUP BY 1"
