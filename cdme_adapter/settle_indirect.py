"""Settlement of what takes part beside the rows: windows' other rows, subqueries, OFFSET.

From the nodes of a plan, once they are materialised, to the chains of maps of every exact indirect
edge. Nothing is multiplied: a row leads to its partition, its frame (a range of places) or its key,
and that once to the rows behind it (docs/concepts.md, Size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cdme_adapter.capture.plan import ROOT, CapturePlan, Frame, Held, Lookup, Node, Port
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.engines.sets import WIDEST, RowSets
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.shared_sets import shared_sets

ROOT_ROWS = "cdme_root"
_CERTAIN = 2
"""How much larger than its parts the mean size of a composition must be to go without counting."""
MANY = 10_000
"""Stages of fewer rows are taken whole."""
_WORTH = 2
"""A map may grow by this much before its parts are kept instead."""


@dataclass(frozen=True)
class Step:
    """One map of a chain: ``sql`` is a relation of (o, i), or of (o, lo, hi) where it is ranged.

    ``one_i``: no o has two i; ``one_o``: no i has two o. Both may be False where that is not known.
    ``column``: the hidden column of a node's rows that the i are, where it is so simple.
    """

    sql: str
    rows: int
    ranged: bool = False
    one_i: bool = False
    one_o: bool = False
    column: str | None = None

    @property
    def columns(self) -> str:
        """What it selects."""
        return "o, lo, hi" if self.ranged else "o, i"


Steps = tuple[Step, ...]


def keys_of(lookup: Lookup, holding: list[Held], rows: Callable[[Held], str]) -> str:
    """The keys that the rows of others bring to a lookup, each once and with a number."""
    values = [
        f"SELECT {f'unnest({port.column})' if port.many else port.column} AS key FROM {rows(held)}"
        for held in holding for port in held.ports if port.target == lookup.name
    ]  # fmt: skip
    distinct = f"SELECT DISTINCT key FROM ({' UNION ALL '.join(values)}) WHERE key IS NOT NULL"
    return f"SELECT row_number() OVER () - 1 AS k, key FROM ({distinct})"


def rows_of(lookup: Lookup) -> str:
    """The rows that the keys of a lookup lead to."""
    columns = ", ".join(("cdme__k AS o", *(port.column for port in lookup.ports)))
    return f"SELECT {columns} FROM ({lookup.sql.format()})"


@dataclass
class IndirectSettlement:
    """The indirect edges of one model; call :meth:`settle` once, then :meth:`clean`.

    ``changing`` are relations that change before the chains are read. ``found`` has the chains of
    every relation that is known exactly to take part indirectly; their last maps name records by
    dense ordinals.
    """

    execute: Execute
    plan: CapturePlan
    changing: frozenset[str] = frozenset()
    rejects: str | None = None
    """The rows of the root that were routed to the error domain: windows saw them too."""
    found: dict[str, tuple[Steps, ...]] = field(default_factory=dict)
    _sets: RowSets = field(init=False)
    _temp: list[str] = field(default_factory=list)
    _links: dict[tuple[str, str], Step] = field(default_factory=dict)
    _rows: dict[str, str] = field(default_factory=dict)
    _frames: dict[tuple[str, Frame], tuple[Step, Step]] = field(default_factory=dict)
    _beneath: dict[str, frozenset[str]] = field(default_factory=dict)
    _chains: dict[tuple[str, str], tuple[list[Steps], list[Steps], list[Steps]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self._sets = RowSets(self.execute, stem="cdme_beside_set")

    def settle(self) -> None:
        """Find the chains."""
        wanted = [
            one.relation for one in self.plan.consulted
            if one.role is Role.INDIRECT and one.exactness is Exactness.EXACT
        ]  # fmt: skip
        if not wanted:
            return
        self._look(frozenset(wanted))
        self._leave_out()
        for relation in wanted:
            _, indirect, _ = self._from(ROOT, relation)
            dense = ordinals(self.execute, self.plan.relations[relation].quoted)
            if self.rejects:
                indirect = [self._accepted(chain) for chain in indirect]
            shared = [tuple(part for step in chain for part in self._shared(step)) for chain in indirect]
            self.found[relation] = tuple(
                (*chain[:-1], self._dense(dense.over(chain[-1].sql, "o"), chain[-1].rows, relation))
                for chain in shared
            )

    def _shared(self, step: Step) -> Steps:
        alone = step.ranged or step.one_i or step.one_o
        sets = None if alone else shared_sets(self.execute, self._new, step.sql, step.rows)
        return (step,) if sets is None else (Step(sets.to, sets.outputs), Step(sets.of, sets.held))

    def _accepted(self, chain: Steps) -> Steps:
        first = chain[0]
        kept = f"(SELECT {first.columns} FROM {first.sql} WHERE o >= 0)"
        return (replace(first, sql=kept), *chain[1:])

    def _dense(self, sql: str, rows: int, relation: str) -> Step:
        return Step(self._new(f"SELECT o, i FROM {sql}") if relation in self.changing else sql, rows)

    def clean(self) -> None:
        """Drop every temporary table that was made."""
        for name in self._temp:
            self.execute(f"DROP TABLE IF EXISTS temp.{name}")
        self._temp.clear()
        self._sets.clean()

    # -- small things ----------------------------------------------------------------------------

    def _table(self, name: str, select: str) -> str:
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        self._temp.append(name)
        return f"temp.{name}"

    def _new(self, select: str) -> str:
        return self._table(f"cdme_beside_{len(self._temp)}", select)

    def _step(self, select: str, ranged: bool = False) -> Step:
        table = self._new(select)
        return Step(table, int(self.execute(f"SELECT count(*) FROM {table}")[0][0]), ranged)

    def _held(self, name: str) -> Held | None:
        return next((held for held in self._every() if held.name == name), None)

    def _every(self) -> list[Held]:
        return [*self.plan.nodes, *self.plan.lookups]

    def _reach(self, name: str) -> frozenset[str]:
        """Everything beneath a node, a lookup or a relation, itself included."""
        if name not in self._beneath:
            held = self._held(name)
            targets = {port.target for port in held.ports} if held is not None else set()
            self._beneath[name] = frozenset({name}).union(*(self._reach(target) for target in targets))
        return self._beneath[name]

    def _rows_of(self, held: Held) -> str:
        """The rows of a node or lookup with their number ``o`` and hidden columns."""
        if held.name not in self._rows:
            if held.name == ROOT and self.rejects:
                columns = ", ".join(held.hidden if isinstance(held, Node) else ())
                self._rows[ROOT] = (
                    f"(SELECT o, {columns} FROM temp.{ROOT_ROWS}"
                    f" UNION ALL SELECT -1 - o, {columns} FROM {self.rejects})"
                )
            elif held.name == ROOT:
                self._rows[ROOT] = f"temp.{ROOT_ROWS}"
            elif isinstance(held, Node):
                columns = ", ".join(("rowid AS o", *held.hidden))
                self._rows[held.name] = f"(SELECT {columns} FROM temp.{held.name})"
        return self._rows[held.name]

    def _leave_out(self) -> None:
        """Rows of large stages that nothing leads to from the model's rows are not looked at."""
        for node in reversed(self.plan.nodes[:-1]):
            if node.frames or node.name not in self._reach(ROOT):
                continue
            universe = self._sets.universe(f"temp.{node.name}")
            if universe.count < MANY:
                continue
            parts = [
                f"SELECT unnest({port.column}) AS i FROM {self._rows_of(held)}" if port.many
                else f"SELECT {port.column} AS i FROM {self._rows_of(held)}"
                for held in self._every() if isinstance(held, Node) or held.name in self._rows
                for port in held.ports if port.target == node.name
            ]  # fmt: skip
            found = self._sets.of(universe, " UNION ALL ".join(parts)) if parts else None
            if found is not None and 2 * found.count < universe.count:
                columns = ", ".join(("rowid AS o", *node.hidden))
                self._rows[node.name] = (
                    f"(SELECT {columns} FROM temp.{node.name} WHERE {found.holds('rowid')})"
                )

    # -- lookups ---------------------------------------------------------------------------------

    def _look(self, wanted: frozenset[str]) -> None:
        """Find the rows behind every key; lookups that others need come first in the plan."""
        used = [x for x in reversed(self.plan.lookups) if x.name in self._reach(ROOT)]
        for lookup in used:
            if not wanted & self._reach(lookup.name):
                continue
            holding = [held for held in self._every() if held.name in self._reach(ROOT)]
            self._table(lookup.keys, keys_of(lookup, holding, self._rows_of))
            self._rows[lookup.name] = self._table(f"{lookup.name}_rows", rows_of(lookup))

    def _link(self, held: Held, port: Port) -> Step:
        """The pairs (o, i) of a port."""
        key = (held.name, port.column)
        if key not in self._links:
            rows, column = self._rows_of(held), port.column
            flat = f"SELECT o, unnest({column}) AS i FROM {rows}" if port.many else (
                f"SELECT o, {column} AS i FROM {rows} WHERE {column} IS NOT NULL"
            )  # fmt: skip
            target = self._held(port.target)
            if isinstance(target, Lookup):
                flat = (
                    f"SELECT f.o, k.k AS i FROM ({flat}) AS f"
                    f" JOIN temp.{target.keys} AS k ON f.i IS NOT DISTINCT FROM k.key"
                )
            if port.many or isinstance(held, Lookup):
                flat = f"SELECT DISTINCT o, i FROM ({flat}) WHERE i IS NOT NULL"
            step = self._step(flat)
            if not port.many and not isinstance(held, Lookup):
                simple = None if isinstance(target, Lookup) else column
                step = replace(step, one_i=True, one_o=self._all_differ(step), column=simple)
            self._links[key] = step
        return self._links[key]

    def _all_differ(self, step: Step) -> bool:
        """Whether no i has two o, where a bit string can tell."""
        low, high = self.execute(f"SELECT min(i), max(i) FROM {step.sql}")[0]
        if low is None or high - low >= WIDEST:
            return low is None
        return self._distinct(step.sql, low, high) == step.rows

    def _distinct(self, pairs: str, low: int | None = None, high: int | None = None) -> int:
        """How many different i there are."""
        if low is None or high is None:
            low, high = self.execute(f"SELECT min(i), max(i) FROM {pairs}")[0]
        if low is None or high is None or high - low >= WIDEST:
            return int(self.execute(f"SELECT count(DISTINCT i) FROM {pairs}")[0][0])
        bits = f"SELECT bit_count(bitstring_agg(i, {low}, {high})) FROM {pairs}"
        return int(self.execute(bits)[0][0])

    # -- windows ---------------------------------------------------------------------------------

    def _frame(self, node: Node, frame: Frame) -> tuple[Step, Step]:
        """From a row to its partition or places, and from there to the rows of the node."""
        if (node.name, frame) not in self._frames:
            self._frames[node.name, frame] = (
                self._places(node, frame) if frame.place is not None else self._partition(node, frame)
            )
        return self._frames[node.name, frame]

    def _groups(self, node: Node, frame: Frame) -> tuple[str, str]:
        """The partitions (key, g, n, base), and how a row finds its own."""
        key = frame.partition or "0::BIGINT"
        table = self._new(
            "SELECT key, row_number() OVER () - 1 AS g, n,"
            " (sum(n) OVER (ROWS UNBOUNDED PRECEDING) - n)::BIGINT AS base"
            f" FROM (SELECT {key} AS key, count(*) AS n FROM {self._rows_of(node)} GROUP BY ALL"
            " ORDER BY min(o))"
        )
        return table, f"r.{key} IS NOT DISTINCT FROM g.key" if frame.partition else "TRUE"

    def _partition(self, node: Node, frame: Frame) -> tuple[Step, Step]:
        groups, same = self._groups(node, frame)
        own = "".join(f", r.{column}" for column in sorted({port.column for port in node.ports}))
        rows = f"{self._rows_of(node)} AS r JOIN {groups} AS g ON {same}"
        to = replace(self._step(f"SELECT r.o, g.g AS i{own} FROM {rows}"), one_i=True)
        return to, Step(f"(SELECT i AS o, o AS i FROM {to.sql})", to.rows, one_o=True)

    def _behind(self, node: Node, frame: Frame, chain: Steps) -> Steps:
        """From a partition or a place to what lies behind its rows."""
        to, back = self._frame(node, frame)
        first = chain[0]
        if frame.place is None and first.column is not None:
            column = first.column
            pairs = f"(SELECT i AS o, {column} AS i FROM {to.sql} WHERE {column} IS NOT NULL)"
            return (replace(first, sql=pairs, one_i=False, column=None), *chain[1:])
        return self._compose(back, chain)

    def _places(self, node: Node, frame: Frame) -> tuple[Step, Step]:
        groups, same = self._groups(node, frame)
        rows = f"{self._rows_of(node)} AS r JOIN {groups} AS g ON {same}"
        placed = self._step(f"SELECT base + {frame.place} - 1 AS o, r.o AS i FROM {rows}")
        placed = replace(placed, one_i=True, one_o=True)
        parts = " UNION ALL ".join(
            f"SELECT r.o, base + greatest({low}, 1) - 1 AS lo, base + least({high}, n) - 1 AS hi"
            f" FROM {rows}"
            for low, high in frame.ranges
        )
        ranges = self._step(f"SELECT o, lo, hi FROM ({parts}) WHERE lo <= hi", ranged=True)
        held = self.execute(f"SELECT coalesce(sum(hi - lo + 1), 0) FROM {ranges.sql}")[0][0]
        if held > _WORTH * max(placed.rows, 1):
            return ranges, placed
        return self._step(f"SELECT o, unnest(range(lo, hi + 1)) AS i FROM {ranges.sql}"), placed

    # -- chains ----------------------------------------------------------------------------------

    def _from(self, name: str, relation: str) -> tuple[list[Steps], list[Steps], list[Steps]]:
        """The direct and the indirect chains to a relation, and those that windows look through."""
        if (name, relation) in self._chains:
            return self._chains[name, relation]
        held = self._held(name)
        assert held is not None
        direct: list[Steps] = []
        indirect: list[Steps] = []
        early: list[Steps] = []
        late = held.late if isinstance(held, Node) else frozenset[str]()
        straight: list[Steps]
        for port in held.ports:
            if relation not in self._reach(port.target):
                continue
            link = self._link(held, port)
            if port.target == relation:
                straight, beside = [(link,)], []
            else:
                down, aside, _ = self._from(port.target, relation)
                needed = port.role is not Role.DIRECT or name != ROOT or bool(_frames(held))
                straight = [self._compose(link, chain) for chain in down] if needed else []
                beside = [self._compose(link, chain) for chain in aside]
            indirect += beside if port.role is Role.DIRECT else straight + beside
            direct += straight if port.role is Role.DIRECT else []
            early += [] if port.column in late else straight + beside
        for frame in _frames(held):
            assert isinstance(held, Node)
            to, _ = self._frame(held, frame)
            looked = [self._behind(held, frame, chain) for chain in self._united(early)]
            indirect += [self._compose(to, chain) for chain in looked]
        self._chains[name, relation] = self._united(direct), self._united(indirect), early
        return self._chains[name, relation]

    def _united(self, chains: list[Steps]) -> list[Steps]:
        """The chains of one map as one map."""
        flat = [chain[0].sql for chain in chains if len(chain) == 1]
        if len(flat) < 2:
            return chains
        union = " UNION ALL ".join(f"SELECT o, i FROM {sql}" for sql in flat)
        one = self._step(f"SELECT DISTINCT o, i FROM ({union})")
        return [(one,), *(chain for chain in chains if len(chain) > 1)]

    def _compose(self, link: Step, chain: Steps) -> Steps:
        """One map where the composition is no larger than its parts, else the chain itself."""
        first = chain[0]
        if link.ranged:
            return (link, *chain)
        rows = f"{link.sql} AS a JOIN {first.sql} AS b ON a.i = b.o"
        small = link.one_o or (first.one_i and not first.ranged)
        if small or self._expanded(link, first) <= max(link.rows, first.rows):
            inner = "b.lo, b.hi" if first.ranged else "b.i"
            distinct = "" if link.one_i or (first.one_o and not first.ranged) else "DISTINCT "
            step = self._step(f"SELECT {distinct}a.o, {inner} FROM {rows}", first.ranged)
            one_i, one_o = link.one_i and first.one_i, link.one_o and first.one_o
            return (replace(step, one_i=one_i, one_o=one_o), *chain[1:])
        if self._uses_all(link, first):
            return (link, replace(first, column=None), *chain[1:])
        used = f"SELECT {first.columns} FROM {first.sql} WHERE o IN (SELECT i FROM {link.sql})"
        step = self._step(used, first.ranged)
        return (link, replace(step, one_i=first.one_i, one_o=first.one_o), *chain[1:])

    def _uses_all(self, link: Step, first: Step) -> bool:
        """Whether every o of ``first`` is an i of ``link``, where bit strings can tell."""
        low, high = self.execute(f"SELECT min(o), max(o) FROM {first.sql}")[0]
        if low is None or high - low >= WIDEST:
            return False
        used = f"SELECT bitstring_agg(i, {low}, {high}) FROM {link.sql} WHERE i BETWEEN {low} AND {high}"
        held = f"SELECT bitstring_agg(o, {low}, {high}) FROM {first.sql}"
        return bool(self.execute(f"SELECT coalesce(bit_count(({held}) & ~({used})), 1) = 0")[0][0])

    def _expanded(self, link: Step, first: Step) -> int:
        """How many rows the composition has, repetitions included, without making them; less where
        it is certainly more than either part."""
        if link.one_i and first.one_o:
            middle = self._distinct(link.sql)
            about = link.rows * first.rows // max(middle, 1)
            if about > _CERTAIN * max(link.rows, first.rows):
                return about
        counted = self.execute(
            f"SELECT sum(a.n * b.n) FROM (SELECT i, count(*) AS n FROM {link.sql} GROUP BY i) AS a "
            f"JOIN (SELECT o, count(*) AS n FROM {first.sql} GROUP BY o) AS b ON a.i = b.o"
        )
        return int(counted[0][0] or 0)


def _frames(held: Held) -> tuple[Frame, ...]:
    return held.frames if isinstance(held, Node) else ()
