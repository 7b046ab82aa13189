"""What a capture plan is: values that both the run and ``explain``-style commands read.

A plan is a small graph. Its *nodes* are the model's own result (``ROOT``) and the stages that the
query was cut into at its blocking operators; its leaves are the input relations. A node's row holds,
in hidden *ports*, the ordinals of the rows beneath it that made it. A node's *checks* say, clause by
clause in picky order, how to show that a row beneath it was removed (docs/concepts.md, picky clause).

SQL texts in a plan are templates of :meth:`str.format`: ``{port}`` is a port's column, ``{cur}`` a
table of ordinals ``i`` still in question, ``{self}`` the node's own rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cdme_adapter.accounting import Kind, Verdict
from cdme_adapter.provenance import Exactness, Role

ROOT = "root"
HIDDEN = "__cdme_"
MACRO = "macro."
"""What the origin of a clause in a table macro begins with."""


@dataclass(frozen=True)
class RelationInfo:
    """A relation as the planner sees it; ``columns`` in order, names as declared.

    Of files, ``scan`` is what stands in FROM (``read_csv('x.csv')``) and ``paths`` its first argument.
    Where their rows are needed one by one, the scan is kept in a temporary table of that name.
    """

    id: str
    database: str
    schema: str
    name: str
    columns: tuple[str, ...]
    view_sql: str | None = None
    scan: str | None = None
    paths: str | None = None
    rows: int = 0
    """About how many rows it has: decides the order of work, never what is said."""

    @property
    def quoted(self) -> str:
        """The relation's full name, quoted for SQL; of files that were not kept, their scan."""
        if self.scan is not None and not self.name:
            return self.scan
        parts = (self.database, self.schema, self.name)
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@dataclass(frozen=True)
class Port:
    """A hidden column of a node: ordinals of ``target``, one per row or a list of them.

    ``target`` is the id of an input relation, the name of a stage, or that of a lookup: then the
    column holds keys of the lookup, and the role is indirect.
    """

    column: str
    target: str
    many: bool = False
    role: Role = Role.DIRECT


@dataclass(frozen=True)
class Lookup:
    """Rows that others look at without descending from them, found by key once the nodes are there.

    ``temp.<name>_keys`` holds the keys (``k`` their number, ``key`` the value) that ports bring;
    ``sql`` selects ``k`` and the columns of ``ports`` of each row that is looked at.
    """

    name: str
    sql: str
    ports: tuple[Port, ...]

    @property
    def keys(self) -> str:
        """The temporary table of the keys."""
        return f"{self.name}_keys"


@dataclass(frozen=True)
class Frame:
    """The rows of its own node that each row looks at through window functions.

    ``partition`` is the hidden column of the partition's key (None: one partition), ``place`` that
    of the row's place in it, from 1. ``ranges`` are places (from, to) over hidden columns and ``n``,
    the size of the partition; without ``place`` every row of the partition is looked at.
    """

    partition: str | None = None
    place: str | None = None
    ranges: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Clause:
    """One clause that can remove records: the planner's form of a Reason.

    ``origin`` names the text that it stands in: "" for the model's own SQL, else the relation id of
    a view or the name of an ephemeral model; ``line`` counts from 1 in that text.
    """

    kind: Kind
    sql: str
    origin: str = ""
    line: int | None = None


@dataclass(frozen=True)
class StepCheck:
    """A clause that is checked by set: which rows get past it, and the verdict on the others.

    ``reach`` selects ``i``, with repetitions, of the rows in ``{cur}`` that get past; ``evidence`` selects
    ``(i, verdict)``, the verdict as its number, of rows in ``{cur}`` that reached the clause.
    ``lookup``: the ports are those of the side that a join looks things up in.
    """

    clause: int
    ports: frozenset[str]
    reach: str
    evidence: str
    lookup: bool = False
    first_try: str | None = None
    """Selects ``i``, with repetitions, of the rows in ``{cur}`` for which the clause is FALSE with one
    of the first ``{few}`` candidates: cheap, and nearly all of them."""
    passes: str | None = None
    """A condition on other relations alone, where the clause does not speak of the ports' rows: if
    it holds, every row gets past."""


@dataclass(frozen=True)
class CaseCheck:
    """Conjuncts that are checked row by row, in order, over one FROM clause."""

    clauses: tuple[int, ...]
    ports: frozenset[str]
    from_sql: str
    conjuncts: tuple[str, ...]
    plain: tuple[bool, ...] = ()
    """Whether each conjunct is free of subqueries and can run under TRY."""
    single: bool = False
    """Whether FROM is one source, so that each of its rows is there once."""
    before: tuple[str, ...] = ()
    """Conjuncts that were checked before: only derivations that passed them count here."""


@dataclass(frozen=True)
class LevelKey:
    """A conjunct ``mine = theirs`` between two groups of a FROM clause, and its place."""

    place: int
    mine: str
    theirs: str


@dataclass(frozen=True)
class LevelGroup:
    """One group between commas: its FROM item, what it is asked, and its keys to other groups.

    ``own``: (place, SQL, whether it can run under TRY) of the conjuncts over the group alone, in
    order; ``keys``: for each neighbour its number and the keys, in order. ``single``: the port, where
    there is one and every row of it stands in the group at most once. ``rows``: about how many its
    largest relation has; ``merged``: it joins several groups and may have more.
    """

    sql: str
    single: Port | None
    own: tuple[tuple[int, str, bool], ...]
    keys: tuple[tuple[int, tuple[LevelKey, ...]], ...]
    rows: int
    merged: bool = False


@dataclass(frozen=True)
class LevelTree:
    """Comma-joined groups that their conjuncts connect as a forest; ``passed``: the code of a
    derivation that passes all of them."""

    groups: tuple[LevelGroup, ...]
    passed: int


@dataclass(frozen=True)
class LevelCheck:
    """How far every row of one group gets through the conjuncts over comma-joined groups.

    Its code is as those of a CaseCheck. It holds where some derivation passes every conjunct;
    elsewhere the StepChecks of the same clauses decide.
    """

    clauses: tuple[int, ...]
    ports: frozenset[str]
    tree: LevelTree
    group: int


Check = StepCheck | CaseCheck | LevelCheck


STAGE_NAME = "__cdme_stage_name"
"""Stands in a :class:`Fetch` for the name of its stage."""


@dataclass(frozen=True)
class Fetch:
    """How the user's columns of a stage are had where it keeps no more than cannot be had again.

    ``stage`` selects what is kept. ``items`` are the user's columns over the FROM item ``source``,
    in which ``row`` is the stage's row id; ``kept`` names the columns that the stage itself has, with
    its name for each.
    """

    stage: str
    items: str
    source: str
    row: str
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Node:
    """A result that is materialised once: a stage, or the model's own table.

    ``sql`` selects the user's columns, then every hidden column. ``late`` are the ports of what is
    evaluated after the windows, which those do not see.
    """

    name: str
    sql: str
    ports: tuple[Port, ...]
    checks: tuple[Check, ...]
    hidden: tuple[str, ...]
    frames: tuple[Frame, ...] = ()
    late: frozenset[str] = frozenset()
    fetch: Fetch | None = None

    def shown(self, row: str = "") -> str:
        """A SELECT of the user's columns of a stage, and of its row id where ``row`` names it."""
        if self.fetch is None:
            drop = f" EXCLUDE ({', '.join(self.hidden)})" if self.hidden else ""
            return f"SELECT *{drop}{f', rowid AS {row}' if row else ''} FROM temp.{self.name}"
        number = f", {self.fetch.row} AS {row}" if row else ""
        return f"SELECT {self.fetch.items}{number} FROM {self.fetch.source.replace(STAGE_NAME, self.name)}"


@dataclass(frozen=True)
class ConsultedInput:
    """An input that takes part other than directly, and how exactly that is known.

    In the role ``direct``: one of which no more is known than that it takes part (superset).
    """

    relation: str
    role: Role
    exactness: Exactness
    why: str


@dataclass(frozen=True)
class Coarse:
    """A construct that was not understood: why, and where, as in :class:`Clause`."""

    why: str
    origin: str = ""
    line: int | None = None


Held = Node | Lookup
"""What holds rows with ports."""


@dataclass(frozen=True)
class CapturePlan:
    """The whole plan of one query: stages in the order of their creation, the root last.

    ``rank[c]`` is the place of clause ``c`` in the picky order; ``relations`` are the stored
    relations that the query reads, by id.
    """

    nodes: tuple[Node, ...]
    clauses: tuple[Clause, ...]
    rank: tuple[int, ...]
    relations: dict[str, RelationInfo] = field(default_factory=dict)
    consulted: tuple[ConsultedInput, ...] = ()
    generated: bool = False
    lookups: tuple[Lookup, ...] = ()
    coarse: tuple[Coarse, ...] = ()

    @property
    def whole(self) -> frozenset[str]:
        """The relations whose records may all be behind every row: their edge is superset."""
        return frozenset(one.relation for one in self.consulted if one.role is Role.DIRECT)

    def direct_nodes(self) -> list[Node]:
        """The nodes whose rows can reach the root; others are read by subqueries alone."""
        return direct_nodes(self.nodes)

    def ports_above(self, target: str) -> frozenset[str]:
        """The ports through which rows of a relation or stage can reach the root."""
        found: set[str] = set()
        for node in self.nodes:
            for port in node.ports:
                if port.target == target and port.role is Role.DIRECT:
                    found.add(port.column)
                    found |= self.ports_above(node.name) if node.name != ROOT else set()
        return frozenset(found)

    def unused_clauses(self, relation: str) -> frozenset[int]:
        """The joins that look things up in a relation: what they do not match is merely unused."""
        ports = self.ports_above(relation)
        lookups: set[int] = set()
        others: set[int] = set()
        for node in self.nodes:
            for check in node.checks:
                if isinstance(check, StepCheck) and check.ports & ports:
                    (lookups if check.lookup else others).add(check.clause)
        return frozenset(lookups - others)

    @property
    def root(self) -> Node:
        """The node whose rows are the model's rows."""
        return self.nodes[-1]


FALSE_VERDICT = {Kind.SEMI_JOIN: Verdict.NO_MATCH, Kind.ANTI_JOIN: Verdict.EXCLUDED,
                 Kind.EXCEPT: Verdict.EXCLUDED, Kind.INTERSECT: Verdict.EXCLUDED}  # fmt: skip
"""How the ledger calls FALSE of clauses that are no plain predicates."""


def direct_nodes(nodes: tuple[Node, ...]) -> list[Node]:
    """The nodes whose rows can reach the last one through direct ports."""
    reached = {nodes[-1].name}
    for node in reversed(nodes):
        if node.name in reached:
            reached |= {port.target for port in node.ports if port.role is Role.DIRECT}
    return [node for node in nodes if node.name in reached]
