"""Settlement without reverse joins: what the modes ``key_derivable`` and ``summary`` write of an input.

Class totals by the same evidence as in mode ``full``: records that reached the output are counted in
the rows that were written, records that were filtered where a clause is shown to have removed them.
Neither is what is left of the other. What is saved is the reverse join and the list of lost records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

from sqlglot import exp

from cdme_adapter.accounting import Verdict
from cdme_adapter.capture.plan import (
    ROOT,
    CaseCheck,
    LevelCheck,
    LevelTree,
    Node,
    Port,
    StepCheck,
)
from cdme_adapter.capture.sqltext import parse
from cdme_adapter.engines.sets import RowSet, Universe
from cdme_adapter.errors import CdmeError
from cdme_adapter.evidence import ALL_NULL, NUMBERS, Evidence, loss_of, shown
from cdme_adapter.maps import Chain, Map
from cdme_adapter.provenance import Role
from cdme_adapter.settle import ROOT_ROWS, InputAccount, Settlement, dense_of

SAMPLED = "cdme_sampled"
SAMPLE = 1000
"""How many of a model's rows keep their witnesses in mode ``summary``."""
PAIRS = 200_000
"""How many witnesses are kept of one input at most."""


@dataclass
class TotalsSettlement(Settlement):
    """The class totals of every direct input; with ``sample`` also the witnesses of some rows.

    ``keys`` says that somebody needs the records themselves (control totals), ``reasons`` that somebody
    needs to know how many each clause removed. Without, a record is shown to have failed one of the
    clauses that stand together, not which was the last.
    """

    sample: bool = False
    keys: bool = False
    reasons: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    """By relation, a FROM item of (o): the rows whose witnesses the sample holds."""
    _counted: dict[str, int] = field(default_factory=dict)
    """How many rows a FROM item of lost ones has, where that is known."""

    def accounts(self) -> list[InputAccount]:
        """The accounts of :class:`Settlement`, with chains for the sampled rows alone."""
        if self.sample:
            self.execute(
                f"CREATE OR REPLACE TEMP TABLE {SAMPLED} AS SELECT o FROM temp.{ROOT_ROWS} "
                f"ORDER BY hash(o), o LIMIT {SAMPLE}"
            )
            self._temp.append(SAMPLED)
        return super().accounts()

    def _account(self, relation: str, universe: Universe) -> InputAccount:
        live, pending = self._judge(relation, universe)
        fate, dense = self._fates[relation].lost, dense_of(universe)
        if fate and self.keys:
            fate = self._new("lost", f"FROM {shown(fate)}")
        exact = self.keys or self.reasons
        reasons = self._by_clause(fate) if fate and exact else ()
        filtered = sum(count for _, _, count in reasons)
        if fate and not exact:
            filtered = self._counted.get(fate) or int(self.execute(f"SELECT count(loss) FROM {fate}")[0][0])
        unaccounted, missing = universe.count - live.count - filtered, None
        if unaccounted:
            explained = self.sets.of(universe, f"SELECT i FROM {shown(fate)}") if fate else None
            unknown = self.sets.minus(pending, explained) if explained else pending
            missing, unaccounted = unknown.rows, unknown.count
        chains = self._sampled(relation) if self.sample else ()
        return InputAccount(
            relation, universe.count, live.count, filtered, unaccounted,
            tuple((*c[:-1], c[-1].over(dense.over(c[-1].sql, "o"))) for c in chains),
            dense.over(self._lost(fate), "clause, verdict") if fate and self.keys else None,
            dense.over(missing, "") if missing and unaccounted else None,
            reasons, 0, 0, reached=dense.over(live.rows, ""),
        )  # fmt: skip

    def _all_live(self, target: str, universe: Universe) -> bool:
        return False  # no map is made

    # -- that a record failed, not where ---------------------------------------------------------

    def _checks(self, node: Node, port: Port, question: RowSet, only: bool) -> list[Evidence]:
        """The evidence that rows were removed, by any clause of those that stand together."""
        if self.keys or self.reasons:
            return super()._checks(node, port, question, only)
        found: list[Evidence] = []
        checks = [check for check in node.checks if port.column in check.ports]
        settled: set[int] = set()
        for check in checks:
            if not question.count:
                break
            if isinstance(check, StepCheck):
                if check.clause in settled or self._passes_all(check):
                    continue
                reach = self._filled(check.reach, node, port, question)
                reached = self.sets.of(question.universe, reach)
                lost = self.sets.minus(question, reached)
                if lost.count:
                    found += self._step(check, node, port, lost)
                question = reached
                continue
            if isinstance(check, LevelCheck) and not (
                self._derives(node, port) and self._levels(node, check.tree).bounded()
            ):
                continue
            settled |= set(check.clauses)
            passed = (
                self._passing_levels(node, check, port)
                if isinstance(check, LevelCheck)
                else self._filled(_passing_case(check), node, port, question)
            )
            reached = self.sets.of(question.universe, passed)
            lost, question = self.sets.minus(question, reached), self._both(question, reached)
            loss = loss_of(self._rank(check.clauses[-1]), Verdict.NULL.number)
            if lost.count:
                found.append(Evidence(f"SELECT i, {loss} AS loss FROM {lost.rows}"))
                self._counted[f"({found[-1].rows})"] = lost.count
        return found

    def _both(self, one: RowSet, other: RowSet) -> RowSet:
        """What is in both sets."""
        return self.sets.minus(one, self.sets.minus(one, other))

    def _passing_levels(self, node: Node, check: LevelCheck, port: Port) -> str:
        """A SELECT of (i): the rows of a group that some derivation takes through the conjuncts of a
        tree. Where its rows repeat, so may they."""
        rows, group = self._rows(node), check.tree.groups[check.group]

        def fill(sql: str) -> str:
            return sql.format(self=rows, **NUMBERS)

        passes = _passes(check.tree, check.group, None, fill)
        return f"SELECT {port.column} AS i FROM {fill(group.sql)} WHERE {passes}"

    def _lost(self, fate: str) -> str:
        """(i, clause, verdict) of the filtered records of (i, loss)."""
        arms = " ".join(f"WHEN {rank} THEN {clause}" for clause, rank in enumerate(self.plan.rank))
        verdict = f"CASE 7 - loss % 8 WHEN {ALL_NULL} THEN {Verdict.NULL.number} ELSE 7 - loss % 8 END"
        return (
            f"(SELECT i, (CASE loss // 8 {arms} END)::INTEGER AS clause, ({verdict})::TINYINT AS verdict "
            f"FROM {fate})"
        )

    def _by_clause(self, fate: str) -> tuple[tuple[int, int, int], ...]:
        """How many records each clause removed, by verdict."""
        if not self.plan.rank:
            return ()
        clauses = {rank: clause for clause, rank in enumerate(self.plan.rank)}
        found: dict[tuple[int, int], int] = {}
        counts = self.execute(f"SELECT loss, count(loss) FROM {fate} GROUP BY loss ORDER BY loss")
        for loss, count in ((loss, count) for loss, count in counts if count):
            rank, verdict = divmod(int(loss), 8)
            verdict = Verdict.NULL.number if 7 - verdict == ALL_NULL else 7 - verdict
            key = clauses[rank], verdict
            found[key] = found.get(key, 0) + int(count)
        return tuple((clause, verdict, count) for (clause, verdict), count in sorted(found.items()))

    # -- the sample ------------------------------------------------------------------------------

    def _sampled(self, relation: str) -> tuple[Chain, ...]:
        """The witnesses of the sampled rows, each pair once, as one map."""
        arms = list(self._down(self.plan.root, relation, f"(SELECT o AS y, o FROM temp.{SAMPLED})"))
        if not arms:
            return ()
        pairs = self._new("pairs", f"SELECT DISTINCT y AS o, i FROM ({' UNION ALL '.join(arms)})")
        kept, held = f"temp.{SAMPLED}", self._count(pairs)
        if held > PAIRS:
            sums = (
                f"SELECT s.o, sum(coalesce(n, 0)) OVER (ORDER BY hash(s.o), s.o) AS n FROM {kept} AS s "
                f"LEFT JOIN (SELECT o, count(*) AS n FROM {pairs} GROUP BY o) AS p ON p.o = s.o"
            )
            kept = self._new("kept", f"SELECT o FROM ({sums}) WHERE n <= {PAIRS}")
            pairs = self._new("pairs", f"SELECT o, i FROM {pairs} WHERE o IN (SELECT o FROM {kept})")
            held = self._count(pairs)
        self.kept[relation] = kept
        return ((Map(pairs, held),),)

    def _down(self, node: Node, relation: str, rows: str) -> Iterator[str]:
        """SELECTs of (y, i) from ``rows`` (y, o) of a node to a relation."""
        for port in node.ports:
            if port.role is not Role.DIRECT:
                continue
            value = f"unnest(n.{port.column})" if port.many else f"n.{port.column}"
            named = f"SELECT y, i FROM (SELECT r.y, {value} AS i FROM {rows} AS r "
            named += f"JOIN {self._rows(node)} AS n ON n.o = r.o) WHERE i IS NOT NULL"
            if port.target == relation:
                yield named
                continue
            stage = next((s for s in self.plan.nodes if s.name == port.target), None)
            if stage is not None and stage.name != ROOT and self._leads(stage, relation):
                reached = self._new("down", f"SELECT DISTINCT y, i AS o FROM ({named})")
                yield from self._down(stage, relation, reached)

    def _leads(self, node: Node, relation: str) -> bool:
        """Whether rows of a node can have direct witnesses in a relation."""
        for port in node.ports:
            if port.role is not Role.DIRECT:
                continue
            stage = next((s for s in self.plan.nodes if s.name == port.target), None)
            if port.target == relation or (stage is not None and self._leads(stage, relation)):
                return True
        return False


def _passes(tree: LevelTree, group: int, came: int | None, fill: Callable[[str], str]) -> str:
    """Whether a row of a group passes its own conjuncts and has partners that do, all around it."""
    here = tree.groups[group]
    parts = [tried(fill(sql)) if plain else f"({fill(sql)})" for _, sql, plain in here.own]
    for other, keys in here.keys:
        if other != came:
            mine = ", ".join(fill(key.mine) for key in keys)
            theirs = ", ".join(fill(key.theirs) for key in keys)
            beyond = _passes(tree, other, group, fill)
            source = fill(tree.groups[other].sql)
            parts.append(f"(({mine}) IN (SELECT ({theirs}) FROM {source} WHERE {beyond}))")
    return " AND ".join(parts) or "TRUE"


def _passing_case(check: CaseCheck) -> str:
    """(i) of the rows of which some derivation passes every conjunct."""
    plain = check.plain or (True,) * len(check.conjuncts)
    tests = [tried(c) if safe else f"({c})" for c, safe in zip(check.conjuncts, plain, strict=True)]
    tests += [f"({template})" for template in check.before]
    return f"SELECT {{port}} AS i FROM {check.from_sql} WHERE {' AND '.join(tests)}"


_HARMLESS = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Predicate, exp.Connector, exp.Not,
    exp.Paren, exp.Tuple,
)  # fmt: skip
_CONSTANT = (*_HARMLESS, exp.Cast, exp.DataType, exp.Interval, exp.Var, exp.Add, exp.Sub, exp.Neg)


@cache
def tried(sql: str) -> str:
    """A conjunct that cannot raise: as it is where it only compares columns and constants (a scan can
    then leave out whole row groups), else under TRY.

    >>> tried("a < 3"), tried("a >= date '1994-01-01' + interval '1' year"), tried("1 / a > 2")
    ('(a < 3)', "(a >= date '1994-01-01' + interval '1' year)", 'TRY(1 / a > 2)')
    """
    try:
        tree = parse(f"SELECT 1 WHERE {sql}").args["where"].this
    except CdmeError:
        return f"TRY({sql})"
    return f"({sql})" if _harmless(tree) else f"TRY({sql})"


def _harmless(node: exp.Expr) -> bool:
    if isinstance(node, (exp.Like, exp.RegexpLike, exp.Func, exp.SubqueryPredicate)):
        return isinstance(node, exp.Cast) and _constant(node)
    if _constant(node):
        return True
    return isinstance(node, _HARMLESS) and all(_harmless(child) for child in node.iter_expressions())


def _constant(node: exp.Expr) -> bool:
    """An expression without columns, which is evaluated before any row is."""
    return all(isinstance(n, _CONSTANT) and not isinstance(n, exp.Column) for n in node.walk())
