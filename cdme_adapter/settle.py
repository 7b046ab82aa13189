"""Settlement: from a materialised plan to the account of every input.

Works in the model's transaction on temporary tables. Nodes are taken from the model's own rows
downwards: which of a node's rows live is known before the rows that made them are judged. A record
is filtered only where a clause is shown to have removed it; what has no evidence is counted as
unaccounted, never computed away (REQ-F-ACC-001).

Sets of rows are bit strings (``engines/sets.py``), so that a model pays for the reasons of the rows
that it lost and for little else.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

from cdme_adapter.accounting import Kind, Verdict
from cdme_adapter.capture.plan import (
    FALSE_VERDICT,
    ROOT,
    CapturePlan,
    CaseCheck,
    LevelCheck,
    LevelTree,
    Node,
    Port,
    StepCheck,
)
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Ordinals
from cdme_adapter.engines.sets import RowSet, RowSets, Universe
from cdme_adapter.evidence import (
    ALL_NULL,
    NUMBERS,
    Evidence,
    case_sql,
    in_template,
    loss_of,
    shown,
)
from cdme_adapter.maps import Chain, Map, Maps
from cdme_adapter.provenance import Role
from cdme_adapter.settle_levels import Levels
from cdme_adapter.store.rows import chunked, opened

ROOT_ROWS = "cdme_root"
REJECTED = "rejected"
"""The node of the rows that were emitted and then routed to the error domain."""
_CANDIDATE_ROWS = (1, 8)
"""How many candidates decide nearly every record, and nearly every other."""
_CANDIDATES = frozenset({*FALSE_VERDICT, Kind.JOIN_NO_MATCH})
"""The clauses that can give that verdict."""


@dataclass(frozen=True)
class InputAccount:
    """The account of one direct input, with the temporary tables that hold its keys.

    ``lost`` selects (i, clause, verdict) of the filtered records; ``unaccounted_sql`` and ``reached``
    (the records that contributed) select (i).
    """

    relation: str
    input_count: int
    contributed: int
    filtered: int
    unaccounted: int
    chains: tuple[Chain, ...]
    lost: str | None
    unaccounted_sql: str | None
    reasons: tuple[tuple[int, int, int], ...]
    inputs_per_output: int
    outputs_per_input: int
    errors: int = 0
    error_chains: tuple[Chain, ...] = ()
    """From the rejected rows, as ``chains`` are from the model's."""
    routed: str | None = None
    """A FROM item of (i): the records in class error."""
    kept_out: str | None = None
    """A FROM item of (i, clause): the row ids of records that an error clause kept out."""
    reached: str = ""
    lost_chunks: str | None = None
    """The same as ``lost``, in chunks: a FROM item of (clause, verdict, chunk, n, bits)."""
    seconds: float = 0.0
    """How long judging it took."""


@dataclass(frozen=True)
class _Fate:
    """What became of the rows of a stage or relation.

    ``alive`` reached the model's rows, None where all did; ``lost`` is a FROM item of
    (i, loss), one row for each of the others that has evidence; rows with a NULL loss have none (a
    filter instead would evaluate what the losses are made of twice). A ``loss`` is eight times the rank of
    the clause plus seven less the verdict, so that the greatest is the one that counts. ``looked_up``
    is, where there is one, the loss of row ``{row}`` as an expression, NULL where it has none.
    """

    alive: RowSet | None
    lost: str | None = None
    looked_up: str | None = None
    evidence: tuple[Evidence, ...] = ()
    """What ``lost`` is made of, where each row is in one part of it at most."""


@dataclass
class Settlement:
    """One model's settlement; call :meth:`accounts` once after the nodes are materialised."""

    execute: Execute
    plan: CapturePlan
    rejects: str | None = None
    """The rejected rows as a FROM item of (o, the root's hidden columns)."""
    error_clauses: frozenset[int] = frozenset()
    """The clauses that keep bad input records out: these are in error, not filtered."""
    outputs: int | None = None
    """How many rows the model's query gave, where that is known."""
    sets: RowSets = field(init=False)
    maps: Maps = field(init=False)
    _temp: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _fates: dict[str, _Fate] = field(default_factory=dict)
    _passed: dict[str, bool] = field(default_factory=dict)
    _trees: dict[LevelTree, Levels] = field(default_factory=dict)
    _universes: dict[str, Universe] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sets = RowSets(self.execute)
        self.maps = Maps(self.execute, self.plan, self._rows, self._new, self._count, self._size)

    def accounts(self) -> list[InputAccount]:
        """The account of every input that takes part directly."""
        self._fates[ROOT] = _Fate(None)
        if self.rejects:
            loss = loss_of(2 * len(self.plan.clauses), 0)
            self._fates[REJECTED] = _Fate(None, f"(SELECT o AS i, {loss} AS loss FROM {self.rejects})")
        for node in reversed(self.plan.nodes[:-1]):
            if self._consumers(node.name):  # else only subqueries read it: it takes no direct part
                self._judge(node.name, self._universe(node.name))
        return [
            self._timed(relation)
            for relation in self.plan.relations
            if relation not in self.plan.whole and self._consumers(relation)
        ]

    def _timed(self, relation: str) -> InputAccount:
        """The account of an input, with the time that it took."""
        began = time.perf_counter()
        account = self._account(relation, self._universe(relation))
        return replace(account, seconds=time.perf_counter() - began)

    def error_paths(self) -> dict[str, tuple[Chain, ...]]:
        """Only the ways from the rejected rows to the inputs: for a model that is stopped."""
        found = {}
        for relation in self.plan.relations:
            if self._consumers(relation):
                found[relation] = self._error_chains(relation, dense_of(self._universe(relation)))
        return found

    def clean(self) -> None:
        """Drop every temporary table that the settlement made."""
        if self._temp:
            self.execute("; ".join(f"DROP TABLE IF EXISTS temp.{name}" for name in self._temp))
        self._temp.clear()
        self._counts.clear()
        self.sets.clean()

    def _universe(self, target: str) -> Universe:
        """The rows of a relation or a stage."""
        if target not in self._universes:
            info = self.plan.relations.get(target)
            self._universes[target] = self.sets.universe(info.quoted if info else f"temp.{target}")
        return self._universes[target]

    # -- pieces of SQL ---------------------------------------------------------------------------

    def _new(self, stem: str, select: str) -> str:
        """Materialise ``select`` as a temporary table and return its name."""
        name = f"cdme_{stem}_{len(self._temp) + 1}"
        made = self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        self._temp.append(name)
        if made:
            self._counts[f"temp.{name}"] = int(made[0][0])
        return f"temp.{name}"

    def _count(self, relation: str) -> int:
        known = self._counts.get(relation)
        return known if known is not None else int(self.execute(f"SELECT count(*) FROM {relation}")[0][0])

    def _size(self, node: Node) -> int | None:
        """How many rows a node has, where that costs nothing to know."""
        return self.outputs if node.name == ROOT else None

    def _rows(self, node: Node) -> str:
        """The rows of a node with their ordinal ``o`` and hidden columns."""
        if node.name == ROOT:
            return f"temp.{ROOT_ROWS}"
        if node.name == REJECTED:
            return str(self.rejects)
        return f"(SELECT {', '.join(('rowid AS o', *node.hidden))} FROM temp.{node.name})"

    def _given(self, node: Node) -> str:
        """The rows that a node's query gave, those that were routed to the error domain included: they
        too fill a LIMIT, and are the first of their key."""
        if node.name != ROOT or not self.rejects:
            return self._rows(node)
        columns = ", ".join(("o", *node.hidden))
        return f"(SELECT {columns} FROM {self._rows(node)} UNION ALL SELECT {columns} FROM {self.rejects})"

    @property
    def _rejected(self) -> Node:
        return replace(self.plan.root, name=REJECTED, checks=())

    def _rank(self, clause: int) -> int:
        """The place of a clause in the picky order; what makes an error is above all others."""
        above = len(self.plan.clauses) if clause in self.error_clauses else 0
        return self.plan.rank[clause] + above

    def _consumers(self, target: str) -> list[tuple[Node, Port]]:
        direct = self.plan.direct_nodes() + ([self._rejected] if self.rejects else [])
        return [(n, p) for n in direct for p in n.ports if p.target == target and p.role is Role.DIRECT]

    def _values(self, node: Node, port: Port, condition: str = "") -> str:
        """A SELECT of (i): the rows that a port's values name, with repetitions."""
        where = f" WHERE {condition}" if condition else ""
        known = self.maps.made(node, port) if port.many else None
        if known is not None:
            return f"SELECT i FROM {known.sql}{where}"
        value = f"unnest({port.column})" if port.many else port.column
        return f"SELECT {value} AS i FROM {self._rows(node)}{where}"

    # -- fates -----------------------------------------------------------------------------------

    def _judge(self, target: str, universe: Universe) -> tuple[RowSet, RowSet]:
        """Judge every row of ``target``: those that live, and those in question."""
        if self._all_live(target, universe):
            self._fates[target] = _Fate(None)
            everyone = RowSet(universe, universe.count)
            return everyone, RowSet(universe, 0)
        parts = []
        for node, port in self._consumers(target):
            if node.name == REJECTED:
                continue
            alive = self._fates[node.name].alive
            parts.append(self._values(node, port, alive.holds("o") if alive else ""))
        live = self.sets.of(universe, " UNION ALL ".join(parts))
        if live.all:
            self._fates[target] = _Fate(None)
            return live, RowSet(universe, 0, None)
        pending = self.sets.minus(self.sets.everyone(universe), live)
        evidence = self._evidence(target, pending)
        lost = self._united(target, evidence)
        # What lies beneath a stage asks for its losses more than once; a relation's are read once,
        # but where some of them are errors.
        looked_up = None
        if lost and target not in self.plan.relations:
            lost, looked_up = self._kept(shown(lost), universe)
        elif lost and self._has_errors:
            lost = self._new("lost", f"FROM {shown(lost)}")
        apart = len(self._consumers(target)) == 1 and not self._has_errors
        self._fates[target] = _Fate(live, lost, looked_up, tuple(evidence) if apart else ())
        return live, pending

    def _all_live(self, target: str, universe: Universe) -> bool:
        """Whether a map that has to be made anyway shows that every row of ``target`` lives."""
        consumers = self._consumers(target)
        if len(consumers) != 1 or self._fates[consumers[0][0].name].alive is not None:
            return False
        found = self.maps.map(*consumers[0])
        return found.one_o and found.pairs == universe.count

    def _kept(self, lost: str, universe: Universe) -> tuple[str, str | None]:
        """The losses of a stage's rows, kept: one set for each where they are few, else a table."""
        if universe.high - universe.low >= self.sets.widest:
            return self._new("lost", f"FROM {lost}"), None
        bits = f"bitstring_agg(i, {universe.low}, {universe.high})"
        table = self._new("lost", f"SELECT loss, {bits} AS bits FROM {lost} GROUP BY loss")
        losses = [int(loss) for (loss,) in self.execute(f"SELECT loss FROM {table} ORDER BY loss DESC")]
        arms = []
        for loss in losses:
            kept = self.sets.variable(f"(SELECT bits FROM {table} WHERE loss = {loss})")
            arms.append(f"WHEN get_bit({kept}, ({{row}} - {universe.low})::INTEGER) = 1 THEN {loss}")
        if not arms:
            return f"(SELECT NULL::BIGINT AS i, NULL::INTEGER AS loss FROM {table} WHERE FALSE)", None
        looked_up = f"CASE {' '.join(arms)} END"
        every = f"SELECT rowid AS i, {looked_up.format(row='rowid')} AS loss FROM {universe.relation}"
        return f"(FROM ({every}) WHERE loss IS NOT NULL)", looked_up

    @property
    def _has_errors(self) -> bool:
        return bool(self.rejects or self.error_clauses)

    def _evidence(self, target: str, pending: RowSet) -> list[Evidence]:
        """The clauses that removed each pending row, where there is one."""
        parts: list[Evidence] = []
        consumers = self._consumers(target)
        for node, port in consumers:
            lost, question = self._fates[node.name].lost, pending
            if self._fates[node.name].alive is not None or node.name == REJECTED:
                reached = self.sets.of(pending.universe, self._values(node, port))
                if lost:
                    parts.append(Evidence(self._inherited(node, port, lost, pending)))
                question = self.sets.minus(pending, reached)
            parts += self._checks(node, port, question, len(consumers) == 1)
        return parts

    def _united(self, target: str, parts: list[Evidence]) -> str | None:
        """A FROM item of (i, loss) over all parts, the last loss of each row."""
        if not parts:
            return None
        everything = " UNION ALL ".join(part.rows for part in parts)
        if len(self._consumers(target)) > 1:
            everything = f"SELECT i, max(loss) AS loss FROM ({everything}) GROUP BY i"
        return f"({everything})"

    def _inherited(self, node: Node, port: Port, lost: str, pending: RowSet) -> str:
        """Rows that reached a stage's rows, all of which were lost later: the last loss counts."""
        known = self._fates[node.name].looked_up
        if known and not port.many:
            rows = f"SELECT {port.column} AS i, {known.format(row='o')} AS loss FROM {self._rows(node)}"
            found = f"SELECT i, loss FROM ({rows}) WHERE loss IS NOT NULL AND {pending.holds('i')}"
            if self.maps.map(node, port).one_o:
                return found
            return f"SELECT i, max(loss) AS loss FROM ({found}) GROUP BY i"
        link = self.maps.map(node, port)
        rows = f"FROM {link.sql} AS l JOIN {lost} AS f ON l.o = f.i WHERE {pending.holds('l.i')}"
        if link.one_o:
            return f"SELECT l.i, f.loss {rows}"
        return f"SELECT l.i, max(f.loss) AS loss {rows} GROUP BY l.i"

    def _checks(self, node: Node, port: Port, question: RowSet, only: bool) -> list[Evidence]:
        """Walk the checks of a node for one port; the evidence found, at most one for each row.

        ``only``: the rows can live through no other port, so that each that lives passes every
        clause. Then it can be cheaper to judge it as well than to leave it out.
        """
        found: list[Evidence] = []
        checks = [check for check in node.checks if port.column in check.ports]
        settled: set[int] = set()
        for place, check in enumerate(checks):
            if not question.count:
                break
            everyone = only and not found and 2 * question.count > question.universe.count
            if isinstance(check, LevelCheck):
                levels = self._levels(node, check.tree)
                if self._derives(node, port) and levels.bounded():
                    settled |= set(check.clauses)
                    judged = levels.judged(
                        check.group, port.column, question.universe, None if everyone else question
                    )
                    last = all(
                        isinstance(c, StepCheck) and c.clause in settled for c in checks[place + 1 :]
                    )
                    part, question = self._judged(check.clauses, judged, question, last)
                    found.append(part)
            elif isinstance(check, CaseCheck):
                every = self.sets.everyone(question.universe) if everyone and check.single else question
                judged = self._filled(case_sql(check), node, port, every)
                last = place == len(checks) - 1 and check.single
                part, question = self._judged(check.clauses, judged, question, last)
                found.append(part)
            elif check.clause not in settled and not self._passes_all(check):
                reach = self._filled(check.reach, node, port, question)
                reached = self.sets.of(question.universe, reach)
                lost = self.sets.minus(question, reached)
                if lost.count:
                    found += self._step(check, node, port, lost)
                question = reached
        return found

    def _levels(self, node: Node, tree: LevelTree) -> Levels:
        """The messages of a tree, which all of its groups share."""
        if tree not in self._trees:
            rows = self._given(node)
            fill = lambda sql: sql.format(self=rows, **NUMBERS)  # noqa: E731
            ports: dict[int, set[str]] = defaultdict(set)
            for check in node.checks:
                if isinstance(check, LevelCheck) and check.tree == tree:
                    ports[check.group] |= check.ports
            self._trees[tree] = Levels(
                self.execute, self.sets, self._new, fill, self._universe, tree, ports
            )
        return self._trees[tree]

    def _derives(self, node: Node, port: Port) -> bool:
        """Whether some derivation arrived at the node."""
        values = self._values(node, port)
        return bool(self.execute(f"SELECT 1 FROM ({values}) WHERE i IS NOT NULL LIMIT 1"))

    def _filled(self, template: str, node: Node, port: Port, question: RowSet) -> str:
        """A template of the plan with its words; look-ups in ``{cur}`` become look-ups of bits."""
        for row in ("{port}", "i"):
            template = template.replace(
                f"{row} IN (SELECT i FROM {{cur}})", in_template(question.holds(row))
            )
        return template.format(
            port=port.column, cur=question.rows, self=self._given(node), **NUMBERS
        )  # fmt: skip

    def _passes_all(self, check: StepCheck) -> bool:
        """Whether a clause that does not speak of the port's rows lets all of them pass."""
        if check.passes is None:
            return False
        if check.passes not in self._passed:
            self._passed[check.passes] = bool(self.execute(f"SELECT {check.passes.format()}")[0][0])
        return self._passed[check.passes]

    def _step(self, check: StepCheck, node: Node, port: Port, lost: RowSet) -> list[Evidence]:
        head = f"SELECT i, {loss_of(self._rank(check.clause), 'verdict')} AS loss FROM "
        if check.first_try is None:
            return [Evidence(f"{head}({self._filled(check.evidence, node, port, lost)})")]
        kind = self.plan.clauses[check.clause].kind
        false = loss_of(self._rank(check.clause), FALSE_VERDICT.get(kind, Verdict.FALSE).number)
        found: list[Evidence] = []
        rest = lost
        for few in _CANDIDATE_ROWS:
            if rest.count:
                tried = self._filled(check.first_try.replace("{few}", str(few)), node, port, rest)
                decided = self.sets.of(rest.universe, tried)
                rest = self.sets.minus(rest, decided)
                found.append(Evidence(f"SELECT i, {false} AS loss FROM {decided.rows}"))
        if rest.count:
            found.append(Evidence(f"{head}({self._filled(check.evidence, node, port, rest)})"))
        return found

    # -- conjuncts, row by row -------------------------------------------------------------------

    def _judged(
        self, clauses: tuple[int, ...], judged: str, question: RowSet, last: bool
    ) -> tuple[Evidence, RowSet]:
        """The evidence that (i, code) is, and the rows that pass every clause.

        ``last``: nothing asks for those that pass, they are unaccounted.
        """
        if last:
            return self._stopped(clauses, judged), question
        table = self._new("case", judged)
        passed = f"SELECT i FROM {table} WHERE code = {2 * len(clauses)} AND {question.holds('i')}"
        stopped = f"SELECT i, code FROM {table} WHERE code < {2 * len(clauses)}"
        return self._stopped(clauses, stopped), self.sets.of(question.universe, passed)

    def _stopped(self, clauses: tuple[int, ...], judged: str) -> Evidence:
        """The losses of the rows of a SELECT of (i, code) that a clause stopped."""
        ranks = [self._rank(clause) for clause in clauses]
        plain = all(self.plan.clauses[c].kind not in FALSE_VERDICT for c in clauses)
        if plain and ranks == list(range(ranks[0], ranks[0] + len(ranks))):
            loss = f"{loss_of(ranks[0], Verdict.NULL.number)} + (code >> 1)::INTEGER * 8 + (code & 1)"
        else:
            losses = [loss_of(self._rank(c), verdict) for c in clauses for verdict in self._verdicts(c)]
            loss = f"CASE code {' '.join(f'WHEN {n} THEN {text}' for n, text in enumerate(losses))} END"
        return Evidence(judged, f"CASE WHEN code < {2 * len(clauses)} THEN ({loss})::INTEGER END")

    def _verdicts(self, clause: int) -> tuple[int, int]:
        """The verdicts of a clause on a row for which it is NULL, and FALSE."""
        kind = self.plan.clauses[clause].kind
        if kind in FALSE_VERDICT:
            return ALL_NULL, FALSE_VERDICT[kind].number
        return Verdict.NULL.number, Verdict.FALSE.number

    # -- accounts --------------------------------------------------------------------------------

    def _account(self, relation: str, universe: Universe) -> InputAccount:
        live, pending = self._judge(relation, universe)
        fate, dense = self._fates[relation].lost, dense_of(universe)
        chunks, reasons = self._losses(relation, dense) if fate else (None, ())
        filtered = sum(count for _, _, count in reasons)
        wrong = f"{fate} WHERE loss >= {8 * len(self.plan.clauses)}" if fate and self._has_errors else ""
        errors = self._count(wrong) if wrong else 0
        unaccounted, missing = universe.count - live.count - filtered - errors, None
        if unaccounted:
            explained = self.sets.of(universe, f"SELECT i FROM {shown(fate)}") if fate else None
            unknown = self.sets.minus(pending, explained) if explained else pending
            missing, unaccounted = unknown.rows, unknown.count
        chains = tuple(self.maps.chains(self.plan.root, relation))
        per_output, per_input = self.maps.fan(chains, live.count)
        most = live.count + (self.outputs if self.outputs is not None else self._count(f"temp.{ROOT_ROWS}"))
        chains = tuple(self.maps.shared(chain, most) for chain in chains)
        return InputAccount(
            relation, universe.count, live.count, filtered, unaccounted,
            tuple((*c[:-1], c[-1].over(dense.over(c[-1].sql, "o"))) for c in chains),
            opened(chunks) if chunks else None,
            dense.over(missing, "") if missing and unaccounted else None,
            reasons, per_output, per_input, errors, self._error_chains(relation, dense),
            dense.over(f"(SELECT i FROM {wrong})", "") if errors else None, self._kept_out(fate),
            dense.over(live.rows, ""), chunks,
        )  # fmt: skip

    def _losses(
        self, relation: str, dense: Ordinals
    ) -> tuple[str | None, tuple[tuple[int, int, int], ...]]:
        """The filtered records in chunks of neighbours, and their number by clause and verdict."""
        arms = " ".join(f"WHEN {rank} THEN {c}" for c, rank in enumerate(self.plan.rank))
        if not arms:
            return None, ()
        fate = self._fates[relation]
        ends = fate.lost
        if self._has_errors:
            ends = f"(FROM {ends} WHERE loss < {8 * len(self.plan.clauses)})"
        null = "loss"
        if any(clause.kind in _CANDIDATES for clause in self.plan.clauses):
            # A verdict that is null for every candidate is null by now.
            null = f"loss + ((loss & 7) = {7 - ALL_NULL})::INTEGER * {ALL_NULL - Verdict.NULL.number}"
        parts = [
            f"SELECT {part.loss or 'code'} AS loss, chunk, bits FROM "
            f"({chunked(dense.over(part.codes, 'code'), 'code')})"
            for part in fate.evidence or (Evidence(f"FROM {ends}"),)
        ]
        merged = (  # HAVING, for WHERE would be asked of every row below
            f"SELECT {null} AS loss, chunk, bit_or(bits) AS bits FROM ({' UNION ALL '.join(parts)}) "
            "GROUP BY ALL HAVING count(loss) > 0"
        )
        chunks = self._new(
            "chunks",
            f"SELECT (CASE loss // 8 {arms} END)::INTEGER AS clause, (7 - loss % 8)::TINYINT AS verdict, "
            f"chunk, bit_count(bits)::INTEGER AS n, bits FROM ({merged})",
        )
        counted = self.execute(
            f"SELECT clause, verdict, sum(n) FROM {chunks} GROUP BY ALL ORDER BY clause, verdict"
        )
        return chunks, tuple((int(a), int(b), int(c)) for a, b, c in counted)

    def _kept_out(self, fate: str | None) -> str | None:
        if not fate or not self.error_clauses:
            return None
        clauses = 8 * len(self.plan.clauses)
        arms = " ".join(f"WHEN {self._rank(c)} THEN {c}" for c in sorted(self.error_clauses))
        test = f"loss >= {clauses} AND loss < {2 * clauses}"
        return f"(SELECT i, CASE loss // 8 {arms} END AS clause FROM {fate} WHERE {test})"

    def _error_chains(self, relation: str, dense: Ordinals) -> tuple[Chain, ...]:
        if not self.rejects:
            return ()
        chains = self.maps.chains(self._rejected, relation)
        return tuple((*c[:-1], c[-1].over(dense.over(c[-1].sql, "o"))) for c in chains)


def dense_of(universe: Universe) -> Ordinals:
    consecutive = universe.high - universe.low + 1 == universe.count
    return Ordinals(universe.relation, universe.low, consecutive)


__all__ = ["ROOT_ROWS", "Chain", "InputAccount", "Map", "Settlement"]
