"""Settlement: from a materialised plan to the account of every input.

Works in the model's transaction on temporary tables. Nodes are taken from the model's own rows
downwards: what a node's rows are worth (live, or lost to a clause) is known before the rows that
made them are judged. A record is filtered only where a clause is shown to have removed it; what has
no evidence is counted as unaccounted, never computed away (REQ-F-ACC-001).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cdme_adapter.accounting import Verdict
from cdme_adapter.capture.plan import (
    FALSE_VERDICT,
    ROOT,
    CapturePlan,
    CaseCheck,
    Node,
    Port,
    StepCheck,
)
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import ordinals

ROOT_ROWS = "cdme_root"
ALL_NULL = 5
"""A verdict of joins and subqueries that is ``null`` only if no other occurrence of the record says
otherwise at the same clause; where it stands it becomes ``null``."""
_NUMBERS = {verdict.value: verdict.number for verdict in Verdict} | {"all_null": ALL_NULL}


@dataclass(frozen=True)
class Map:
    """A temporary relation of pairs (o, i); ``pairs`` is their number."""

    sql: str
    pairs: int


Chain = tuple[Map, ...]


@dataclass(frozen=True)
class InputAccount:
    """The account of one direct input, with the temporary tables that hold its keys.

    ``lost`` selects (i, clause, verdict) of the filtered records; ``unaccounted`` selects (i).
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


@dataclass
class _Fate:
    """What became of the rows of a stage or relation: the lost ones with (o, rank, verdict)."""

    lost: str | None = None


@dataclass
class Settlement:
    """One model's settlement; call :meth:`accounts` once after the nodes are materialised."""

    execute: Execute
    plan: CapturePlan
    _temp: list[str] = field(default_factory=list)
    _links: dict[tuple[str, str], str] = field(default_factory=dict)
    _fates: dict[str, _Fate] = field(default_factory=dict)
    _passed: dict[str, bool] = field(default_factory=dict)
    _counter: int = 0

    def accounts(self) -> list[InputAccount]:
        """The account of every input that takes part directly."""
        self._fates[ROOT] = _Fate()
        for node in reversed(self.plan.nodes[:-1]):
            if not self._consumers(node.name):
                continue  # a stage that only subqueries read takes no direct part
            self._judge(node.name, f"(SELECT rowid AS i FROM temp.{node.name})")
        accounts = []
        for relation, info in self.plan.relations.items():
            if relation not in self.plan.whole and self._consumers(relation):
                accounts.append(self._account(relation, info.quoted))
        return accounts

    def clean(self) -> None:
        """Drop every temporary table that the settlement made."""
        for name in self._temp:
            self.execute(f"DROP TABLE IF EXISTS temp.{name}")
        self._temp.clear()

    # -- pieces of SQL ---------------------------------------------------------------------------

    def _new(self, stem: str, select: str) -> str:
        """Materialise ``select`` as a temporary table and return its name."""
        self._counter += 1
        name = f"cdme_{stem}_{self._counter}"
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        self._temp.append(name)
        return f"temp.{name}"

    def _count(self, relation: str) -> int:
        return int(self.execute(f"SELECT count(*) FROM {relation}")[0][0])

    def _rows(self, node: Node) -> str:
        """The rows of a node with their ordinal ``o`` and hidden columns."""
        if node.name == ROOT:
            return f"temp.{ROOT_ROWS}"
        return f"(SELECT rowid AS o, {', '.join(node.hidden)} FROM temp.{node.name})"

    def _link(self, node: Node, port: Port) -> str:
        """The pairs (o, i) of a port."""
        key = (node.name, port.column)
        if key not in self._links:
            rows = self._rows(node)
            if port.many:
                flat = f"SELECT DISTINCT o, i FROM (SELECT o, unnest({port.column}) AS i FROM {rows})"
                self._links[key] = self._new("link", flat)
            else:
                column = port.column
                self._links[key] = f"(SELECT o, {column} AS i FROM {rows} WHERE {column} IS NOT NULL)"
        return self._links[key]

    def _consumers(self, target: str) -> list[tuple[Node, Port]]:
        direct = self.plan.direct_nodes()
        return [(n, p) for n in direct for p in n.ports if p.target == target]

    # -- fates -----------------------------------------------------------------------------------

    def _judge(self, target: str, universe: str) -> tuple[int, str, str | None]:
        """Judge every row of ``target``: number of rows, live table, pending table if any."""
        live_parts = []
        for node, port in self._consumers(target):
            lost = self._fates[node.name].lost
            keep = f" ANTI JOIN {lost} USING (o)" if lost else ""
            live_parts.append(f"SELECT i FROM {self._link(node, port)} AS l{keep}")
        live = self._new("live", f"SELECT DISTINCT i FROM ({' UNION ALL '.join(live_parts)})")
        total = self._count(universe)
        self._fates[target] = _Fate()
        if total == self._count(live):
            return total, live, None
        pending = self._new("pending", f"SELECT i FROM {universe} AS u ANTI JOIN {live} USING (i)")
        self._fates[target] = _Fate(self._evidence(target, pending))
        return total, live, pending

    def _evidence(self, target: str, pending: str) -> str:
        """The clause that removed each pending row, as (o, rank, verdict), where there is one."""
        parts: list[str] = []
        for node, port in self._consumers(target):
            lost = self._fates[node.name].lost
            if lost:
                parts.append(
                    f"SELECT l.i, f.rank, f.verdict FROM {self._link(node, port)} AS l"
                    f" JOIN {lost} AS f ON l.o = f.o JOIN {pending} AS p ON p.i = l.i"
                )
            parts += self._checks(node, port, pending)
        everything = " UNION ALL ".join(parts) or (
            "SELECT NULL::BIGINT AS i, NULL::BIGINT AS rank, NULL::BIGINT AS verdict WHERE FALSE"
        )
        return self._new(
            "lost",
            "SELECT i AS o, best // 8 AS rank, 7 - best % 8 AS verdict FROM "
            f"(SELECT i, max(rank * 8 + 7 - verdict) AS best FROM ({everything}) GROUP BY i)",
        )

    def _checks(self, node: Node, port: Port, pending: str) -> list[str]:
        """Walk the checks of a node for one port; the evidence found, as SELECTs."""
        found: list[str] = []
        current = pending
        checks = [check for check in node.checks if port.column in check.ports]
        for check in checks:
            if isinstance(check, StepCheck) and self._passes_all(check):
                continue
            words = {"port": port.column, "cur": current, "self": self._rows(node), **_NUMBERS}
            if isinstance(check, CaseCheck):
                judged = self._new("case", self._case_sql(check, words))
                ranks = self._rank_sql(check.clauses)
                verdicts = self._verdict_sql(check.clauses)
                found.append(
                    f"SELECT i, {ranks} AS rank, {verdicts} AS verdict FROM {judged}"
                    f" WHERE code // 2 < {len(check.clauses)}"
                )
                current = self._new("cur", f"SELECT i FROM {judged} WHERE code // 2 = {len(check.clauses)}")
            else:
                reached = self._new("reach", check.reach.format(**words))
                lost = self._new("cur", f"SELECT i FROM {current} ANTI JOIN {reached} USING (i)")
                words["cur"] = lost
                if self._count(lost):
                    found.append(self._step_sql(check, words))
                current = reached
            if not self._count(current):
                break
        return found

    def _passes_all(self, check: StepCheck) -> bool:
        """Whether a clause that does not speak of the port's rows lets all of them pass."""
        if check.passes is None:
            return False
        if check.passes not in self._passed:
            self._passed[check.passes] = bool(self.execute(f"SELECT {check.passes.format()}")[0][0])
        return self._passed[check.passes]

    def _step_sql(self, check: StepCheck, words: dict[str, object]) -> str:
        rank = self.plan.rank[check.clause]
        found = f"SELECT i, {rank} AS rank, verdict FROM "
        if check.first_try is None:
            return found + self._new("why", check.evidence.format(**words))
        first = self._new("why", check.first_try.format(**words))
        rest = self._new("cur", f"SELECT i FROM {words['cur']} ANTI JOIN {first} USING (i)")
        if not self._count(rest):
            return found + first
        second = self._new("why", check.evidence.format(**{**words, "cur": rest}))
        return f"{found}{first} UNION ALL {found}{second}"

    def _rank_sql(self, clauses: tuple[int, ...]) -> str:
        arms = " ".join(f"WHEN {n} THEN {self.plan.rank[c]}" for n, c in enumerate(clauses))
        return f"CASE code // 2 {arms} END"

    def _verdict_sql(self, clauses: tuple[int, ...]) -> str:
        false = {
            n: FALSE_VERDICT[self.plan.clauses[c].kind].number
            for n, c in enumerate(clauses)
            if self.plan.clauses[c].kind in FALSE_VERDICT
        }
        if not false:
            return "1 - code % 2"
        arms = " ".join(f"WHEN {n} THEN {number}" for n, number in false.items())
        nulls = " ".join(f"WHEN {n} THEN {ALL_NULL}" for n in false)
        return (
            f"CASE WHEN code % 2 = 0 THEN CASE code // 2 {nulls} ELSE 1 END "
            f"ELSE CASE code // 2 {arms} ELSE 0 END END"
        )

    @staticmethod
    def _case_sql(check: CaseCheck, words: dict[str, object]) -> str:
        """The last conjunct that a derivation of each record failed: 2 × place, + 1 if FALSE."""
        arms = []
        for place, template in enumerate(check.conjuncts):
            safe = not check.plain or check.plain[place]
            conjunct = f"TRY({template.format()})" if safe else template.format()
            arms.append(
                f"WHEN ({conjunct}) IS NOT TRUE THEN {2 * place} + CAST(({conjunct}) IS FALSE AS INTEGER)"
            )
        code = f"CASE {' '.join(arms)} ELSE {2 * len(check.conjuncts)} END"
        passed = "".join(f" AND ({template.format()})" for template in check.before)
        source, port, current = check.from_sql.format(), words["port"], words["cur"]
        if check.single:
            alone = f" WHERE {passed[5:]}" if passed else ""
            return (
                f"SELECT {port} AS i, {code} AS code FROM {source} "
                f"SEMI JOIN {current} AS cdme_c ON cdme_c.i = {port}{alone}"
            )
        return (
            f"SELECT {port} AS i, max({code}) AS code FROM {source} "
            f"WHERE {port} IN (SELECT i FROM {current}){passed} GROUP BY 1"
        )

    # -- accounts --------------------------------------------------------------------------------

    def _account(self, relation: str, quoted: str) -> InputAccount:
        _total, live, pending = self._judge(relation, f"(SELECT rowid AS i FROM {quoted})")
        counted = self._count(quoted)
        contributed = self._count(live)
        lost, filtered, reasons, missing = None, 0, [], None
        fate = self._fates[relation].lost
        if fate:
            arms = " ".join(f"WHEN {rank} THEN {c}" for c, rank in enumerate(self.plan.rank))
            verdict = f"CASE verdict WHEN {ALL_NULL} THEN {Verdict.NULL.number} ELSE verdict END"
            lost = f"(SELECT o AS i, CASE rank {arms} END AS clause, {verdict} AS verdict FROM {fate})"
            reasons = self.execute(
                f"SELECT clause, verdict, count(*) FROM {lost} GROUP BY ALL ORDER BY ALL"
            )
            filtered = sum(row[2] for row in reasons)
            missing = f"(SELECT p.i FROM {pending} AS p ANTI JOIN {fate} AS f ON f.o = p.i)"
        unaccounted = counted - contributed - filtered if missing is None else self._count(missing)
        chains = tuple(self._chains(self.plan.root, relation))
        per_output, per_input = self._fan(chains, contributed)
        dense = ordinals(self.execute, quoted)
        return InputAccount(
            relation, counted, contributed, filtered, unaccounted,
            tuple((*c[:-1], Map(dense.over(c[-1].sql, "o"), c[-1].pairs)) for c in chains),
            dense.over(lost, "clause, verdict") if lost else None,
            dense.over(missing, "") if missing and unaccounted else None,
            tuple((int(a), int(b), int(c)) for a, b, c in reasons), per_output, per_input,
        )  # fmt: skip

    def _chains(self, node: Node, relation: str) -> list[Chain]:
        """The maps from a node's rows to a relation, factorised where that is smaller."""
        chains: list[Chain] = []
        flat: list[str] = []
        for port in node.ports:
            link = self._link(node, port)
            if port.target == relation:
                flat.append(f"SELECT o, i FROM {link}")
            elif any(stage.name == port.target for stage in self.plan.nodes):
                stage = next(s for s in self.plan.nodes if s.name == port.target)
                for chain in self._chains(stage, relation):
                    composed = self._compose(link, chain)
                    if len(composed) == 1:
                        flat.append(f"SELECT o, i FROM {composed[0].sql}")
                    else:
                        chains.append(composed)
        if flat:
            union = flat[0] if len(flat) == 1 else f"SELECT DISTINCT o, i FROM ({' UNION ALL '.join(flat)})"
            table = self._new("map", union)
            chains.insert(0, (Map(table, self._count(table)),))
        return chains

    def _compose(self, link: str, chain: Chain) -> Chain:
        """One map where the composition is no larger than its parts, else the chain itself."""
        first = chain[0]
        outer = self._count(link)
        rows = f"{link} AS a JOIN {first.sql} AS b ON a.i = b.o"
        expanded = self._count(rows)
        if expanded <= max(outer, first.pairs):
            table = self._new("map", f"SELECT DISTINCT a.o, b.i FROM {rows}")
            return (Map(table, expanded), *chain[1:])
        inner = self._new("map", f"SELECT * FROM {first.sql} WHERE o IN (SELECT i FROM {link})")
        kept = self._new("map", f"SELECT o, i FROM {link}")
        return (Map(kept, outer), Map(inner, self._count(inner)), *chain[1:])

    def _fan(self, chains: tuple[Chain, ...], contributed: int) -> tuple[int, int]:
        """Whether an output has several inputs and an input several outputs: 1 or 2 (many).

        A chain that was left factorised expands beyond both of its parts, so both are many.
        """
        if not chains:
            return 1, 1
        if len(chains) > 1 or len(chains[0]) > 1:
            return 2, 2
        table = chains[0][0]
        outputs = self.execute(f"SELECT count(DISTINCT o) FROM {table.sql}")[0][0]
        return (2 if outputs < table.pairs else 1), (2 if contributed < table.pairs else 1)
