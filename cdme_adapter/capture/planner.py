"""From a query to its capture plan: the rules folded over the scopes, children first.

:func:`plan_query` is the entry. A query that holds something whose lineage no rule knows raises
:class:`~cdme_adapter.errors.UnsupportedConstruct`; the caller then runs the original text and says
that its edges are opaque (docs/concepts.md, exactness). Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

from sqlglot import exp

from cdme_adapter import plugins
from cdme_adapter.accounting import Kind
from cdme_adapter.capture.catalog import Catalog
from cdme_adapter.capture.declared_functions import DeclaredFunctions
from cdme_adapter.capture.plan import (
    HIDDEN,
    ROOT,
    CapturePlan,
    Check,
    Clause,
    Coarse,
    ConsultedInput,
    Lookup,
    Node,
    Port,
    RelationInfo,
)
from cdme_adapter.capture.reach import beneath, consulted_inputs
from cdme_adapter.capture.rules import RULES
from cdme_adapter.capture.rules.files import VIRTUAL
from cdme_adapter.capture.rules.lateral import join_lateral
from cdme_adapter.capture.rules.recursion import alone, is_recursive, stands_alone
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.setops import plan_set_operation
from cdme_adapter.capture.rules.sources import plan_source
from cdme_adapter.capture.rules.unpivot import unpivoted_statement
from cdme_adapter.capture.rules.whole import consult, plan_whole
from cdme_adapter.capture.scope import Cte, Env, FromGroup, Key, NodeBuilder, Scope
from cdme_adapter.capture.sqltext import braces, first_line, not_understood, parse, render
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.provenance import Exactness, Role

STAGE = "cdme_stage_"
LOOKUP = "cdme_look_"
Planned = TypeVar("Planned", Scope, FromGroup)
Result = TypeVar("Result")
Shape = TypeVar("Shape", bound=exp.Expr)


class Planner:
    """The state of one planning: counters, the nodes made so far, and the one being made."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog: Catalog = DeclaredFunctions(catalog)
        self.nodes: list[Node] = []
        self.clauses: list[Clause] = []
        self.flags: dict[str, Clause] = {}
        self.relations: dict[str, RelationInfo] = {}
        self.stage_consulted: dict[str, list[ConsultedInput]] = {}
        self.stage_items: dict[str, list[int | str]] = {}
        self.coarse: list[Coarse] = []
        self.origin = ""
        self.virtual_names: frozenset[str] = frozenset()
        self.wants_rowid = False
        self.lookups: list[Lookup] = []
        self.keys: list[tuple[Key, ...]] = [()]
        """What is looked up by the rows of the SELECTs under construction, the innermost last."""
        self.key_columns: dict[str, tuple[str, ...]] = {}
        self.own_rules = tuple(plugins.each("cdme_capture_rules"))
        self._builders: list[NodeBuilder] = [NodeBuilder()]
        self._hidden = 0
        self._stages = 0
        self._looks = 0

    @property
    def builder(self) -> NodeBuilder:
        """The node under construction."""
        return self._builders[-1]

    def hidden(self, letter: str) -> str:
        """A fresh hidden column name; the letter tells its use to a reader of the SQL."""
        self._hidden += 1
        return f"{HIDDEN}{letter}{self._hidden}"

    def clause(self, kind: Kind, shown: str, at: exp.Expr) -> int:
        """Register a clause in its picky place and return its number."""
        return self.register(Clause(kind, shown, self.origin, first_line(at)))

    def register(self, clause: Clause) -> int:
        """Give ``clause`` the next place of the node under construction."""
        self.clauses.append(clause)
        number = len(self.clauses) - 1
        self.builder.items.append(number)
        return number

    def check(self, check: Check) -> None:
        """Add a check to the node under construction."""
        self.builder.checks.append(check)

    def consult(self, relation: str, role: Role, exactness: Exactness, why: str) -> None:
        """Say that an input takes part in another role than direct."""
        self.builder.consulted.append(ConsultedInput(relation, role, exactness, why))

    def attempt(
        self, plan: Callable[[], Result], instead: Callable[[UnsupportedConstruct], Result]
    ) -> Result:
        """``plan``; where a construct is not understood, ``instead``, as if nothing had been tried."""
        lists = {name: copy(value) for name, value in vars(self).items() if isinstance(value, (list, dict))}
        builders = [(builder, _copied(builder)) for builder in self._builders]
        try:
            return plan()
        except UnsupportedConstruct as reason:
            vars(self).update(lists)
            for builder, values in builders:
                vars(builder).update(values)
            return instead(reason)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What is planned meanwhile stands alone, so that it can become a stage (``adopt``) without
        what was planned before it in the same node."""
        self._builders.append(NodeBuilder())
        yield
        built = self._builders.pop()
        self.builder.checks += built.checks
        self.builder.items += built.items
        self.builder.consulted += built.consulted

    @contextmanager
    def within(self, origin: str) -> Iterator[None]:
        """While the text of a view or of a CTE is planned."""
        outer, self.origin = self.origin, origin
        try:
            yield
        except UnsupportedConstruct as reason:
            reason.origin = reason.origin or origin
            raise
        finally:
            self.origin = outer

    def degrade(self, reason: UnsupportedConstruct) -> None:
        """Remember what was not understood, for the findings."""
        found = Coarse(reason.message, reason.origin or self.origin, reason.line)
        if found not in self.coarse:
            self.coarse.append(found)

    def has_stage(self, cte: Cte) -> bool:
        """Whether a CTE is a stage; one whose planning was given up is none."""
        if cte.stage is not None and cte.stage[0] not in self.stage_items:
            cte.stage = None
        return cte.stage is not None

    def keep(self, scope: Scope) -> str:
        """Make a planned query without ports a stage."""
        self._stages += 1
        name = f"{STAGE}{self._stages}"
        self.nodes.append(_node(name, scope, NodeBuilder()))
        self.stage_items[name], self.stage_consulted[name] = [], []
        return name

    def stage(self, query: exp.Expr, env: Env) -> tuple[str, tuple[str, ...] | None]:
        """Plan ``query`` as a stage of its own; its name and its columns."""

        def whole(reason: UnsupportedConstruct) -> tuple[str, None]:
            before = len(self.builder.consulted)
            name = plan_whole(self, query, env, reason)
            self.stage_consulted[name] = self.builder.consulted[before:]
            del self.builder.consulted[before:]  # whoever reads the stage says it
            return name, None

        return self.attempt(lambda: self._staged(query.copy(), env), whole)

    def _staged(self, query: exp.Expr, env: Env) -> tuple[str, tuple[str, ...] | None]:
        self._stages += 1
        name = f"{STAGE}{self._stages}"
        self._builders.append(NodeBuilder())
        scope = self.query(query, env)
        built = self._builders.pop()
        if scope.fetch is not None:
            scope = replace(scope, sql=scope.fetch.stage)
        self.nodes.append(replace(_node(name, scope, built), fetch=scope.fetch))
        self.stage_items[name] = built.items
        self.stage_consulted[name] = built.consulted
        return name, scope.columns

    def keep_stage(self, cte: Cte) -> None:
        """Make a CTE a stage that everybody who reads it shares."""
        with self.within(cte.origin):
            cte.stage = self.stage(cte.query, cte.env)

    def aside(self, plan: Callable[[], Planned], role: Role, exactness: Exactness, why: str) -> Planned:
        """Plan what takes part in another role than direct: everything beneath it is consulted.

        Its clauses remove nothing from a direct input, so they get no place in the picky order.
        """
        planned, own = self.witnessing(plan)
        relations, consulted = beneath(self, planned.ports)
        for relation in relations:
            self.consult(relation, role, exactness, why)
        for one in own + consulted:
            known = exactness if role is Role.GUARD else exactness.meet(one.exactness)
            self.consult(one.relation, role, known, why)
        return planned

    def consult_beside(self, consulted: list[ConsultedInput]) -> None:
        """Say of what is behind another side than the rows' own that it takes part indirectly."""
        for one in consulted:
            role = Role.INDIRECT if one.role is Role.DIRECT else one.role
            self.consult(one.relation, role, one.exactness, one.why)

    def witnessing(self, plan: Callable[[], Planned]) -> tuple[Planned, list[ConsultedInput]]:
        """Plan rows that are looked at exactly, through ports; what else is consulted for them."""
        self._builders.append(NodeBuilder())
        self.keys.append(())
        planned = plan()
        for key in self.keys.pop():  # of an ON inside parentheses: no row carries it
            relations, deeper = beneath(self, (key.port,))
            self.consult_beside(deeper)
            for relation in relations:
                self.consult(relation, Role.INDIRECT, Exactness.SUPERSET, "a subquery in ON")
        return planned, self._builders.pop().consulted

    def look(self, name: str, plan: Callable[[], Scope]) -> Port:
        """Register a lookup; the port of the rows that use it."""
        scope, consulted = self.witnessing(plan)
        self.lookups.append(Lookup(name, scope.sql, scope.ports))
        self.stage_consulted[name] = consulted
        return Port(self.hidden("w"), name, role=Role.INDIRECT)

    def look_name(self) -> str:
        """A fresh name for a lookup."""
        self._looks += 1
        return f"{LOOKUP}{self._looks}"

    def rows(self, select: exp.Select, env: Env) -> Prepared:
        """The FROM and WHERE of a SELECT, planned; what is made of their rows is the caller's."""
        return Prepared(self, select, env)

    def lateral(self, left: FromGroup, join: exp.Join, kind: str, shown: str, env: Env) -> FromGroup:
        """Plan an item of FROM that is read for each row on its left."""
        return join_lateral(self, left, join, kind, shown, env)

    def adopt(self, scope: Scope) -> str:
        """Make a planned query a stage; what was registered so far (``apart``) stands beneath it."""
        self._stages += 1
        name = f"{STAGE}{self._stages}"
        built = self._builders[-1]
        fresh = NodeBuilder()
        self._builders[-1] = fresh
        self.nodes.append(_node(name, scope, built))
        self.stage_items[name] = built.items
        self.stage_consulted[name] = built.consulted
        return name

    def query(self, query: exp.Expr, env: Env) -> Scope:
        """Plan a query of any shape in the node under construction."""
        query = _unwrap(query)
        if isinstance(query, exp.SetOperation):
            operation, env = self._with(query, env)
            return plan_set_operation(self, operation, env)
        if isinstance(query, exp.Pivot) and query.args.get("unpivot"):
            pivot, env = self._with(query, env)
            return unpivoted_statement(self, plan_source(self, pivot.this, env, alone=False), pivot)
        if not isinstance(query, exp.Select):
            raise not_understood(f"{query.key.upper()} is not a query that can be captured", query)
        select, env = self._with(query, env)
        for rule in (*self.own_rules, *RULES):
            scope: Scope | None = rule(self, select, env)
            if scope is not None:
                return scope
        raise not_understood(f"no capture rule for: {render(query)[:80]}", query)

    def _with(self, query: Shape, env: Env) -> tuple[Shape, Env]:
        """Move the query's WITH clause into the environment."""
        with_ = query.args.get("with_")
        if with_ is None:
            return query, env
        if stands_alone(with_):
            raise not_understood("a recursive CTE", with_.expressions[0])
        env = dict(env)
        for cte in with_.expressions:
            name = cte.alias_or_name.lower()
            columns = tuple(c.name for c in cte.args["alias"].args.get("columns") or ())
            used = [t for t in query.find_all(exp.Table) if t.name.lower() == name and not t.db]
            origin = name if name.startswith("__dbt__cte__") else self.origin
            body = cte.this
            if is_recursive(cte):
                body, columns = alone(cte), ()
            env[name] = Cte(body, columns, dict(env), origin, len(used))
        query = query.copy()
        query.set("with_", None)
        return query, env


def _unwrap(query: exp.Expr) -> exp.Expr:
    """A parenthesised query without its parentheses; its own modifiers become an outer query."""
    while isinstance(query, (exp.Subquery, exp.Paren)):
        modifiers = {k: v for k, v in query.args.items() if v and k not in ("this", "alias")}
        inner = query.this
        if modifiers:
            outer = exp.select("*").from_(exp.Subquery(this=inner, alias=_alias(f"{HIDDEN}d")))
            for key, value in modifiers.items():
                outer.set(key, value)
            return outer
        query = inner
    return query


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))


def _copied(builder: NodeBuilder) -> dict[str, Any]:
    return {name: copy(value) for name, value in vars(builder).items()}


def _node(name: str, scope: Scope, built: NodeBuilder) -> Node:
    hidden = tuple(port.column for port in scope.ports) + scope.hidden
    return Node(name, scope.sql, scope.ports, tuple(built.checks), hidden, scope.frames, scope.late)


def _ranks(count: int, root: list[int | str], stages: dict[str, list[int | str]]) -> tuple[int, ...]:
    """Each clause's place in the picky order.

    A stage that is referenced twice stands, like the CTE it came from, at each reference; a record
    that fails in it fails at both, so the last place counts: the walk goes backwards and takes each
    stage the first time it meets it. Clauses inside subqueries remove nothing directly; they get a
    number below zero.
    """
    order: list[int] = []
    seen: set[str] = set()

    def walk(items: list[int | str]) -> None:
        for item in reversed(items):
            if isinstance(item, int):
                order.append(item)
            elif item not in seen:
                seen.add(item)
                walk(stages[item])

    walk(root)
    rank = [-1 - number for number in range(count)]
    for place, number in enumerate(reversed(order)):
        rank[number] = place
    return tuple(rank)


def plan_query(sql: str, catalog: Catalog) -> CapturePlan:
    """The capture plan of a SELECT statement (REQ-F-ADJ-001).

    Raises UnsupportedConstruct where a construct's record lineage is not known.
    """
    tree = parse(sql)
    planner = Planner(catalog)
    planner.virtual_names = VIRTUAL & {column.name.lower() for column in tree.find_all(exp.Column)}

    def whole(reason: UnsupportedConstruct) -> Scope:
        consult(planner, tree, {}, reason)
        planner.degrade(reason)
        return Scope(braces(sql), None, ())

    try:
        scope = planner.attempt(lambda: _refuse_rowid(planner.query(tree.copy(), {})), whole)
    except RecursionError as error:
        raise UnsupportedConstruct("the query is nested too deeply") from error
    root = _node(ROOT, scope, planner.builder)
    nodes = (*planner.nodes, root)
    planner.stage_consulted[ROOT] = planner.builder.consulted
    return CapturePlan(
        nodes=nodes,
        clauses=tuple(planner.clauses),
        rank=_ranks(len(planner.clauses), planner.builder.items, planner.stage_items),
        relations=planner.relations,
        consulted=consulted_inputs(nodes, planner.lookups, planner.stage_consulted),
        lookups=tuple(planner.lookups),
        coarse=tuple(planner.coarse),
    )


def _refuse_rowid(scope: Scope) -> Scope:
    """A table with a column of that name does not show which row is which."""
    if scope.ports and any(column.lower() == "rowid" for column in scope.columns or ()):
        raise UnsupportedConstruct("an output column called rowid, which hides the row id")
    return scope


def plan_of_reads(sql: str, relations: list[RelationInfo], why: str) -> CapturePlan:
    """The plan of a text of which no more is known than the relations that it reads.

    The text runs as it is; every record of every relation may be behind each of its rows.
    """
    consulted = [ConsultedInput(info.id, Role.DIRECT, Exactness.SUPERSET, why) for info in relations]
    nodes = (Node(ROOT, braces(sql), (), (), ()),)
    return CapturePlan(
        nodes=nodes,
        clauses=(),
        rank=(),
        relations={info.id: info for info in relations},
        consulted=consulted_inputs(nodes, (), {ROOT: consulted}),
        coarse=(Coarse(why),),
    )
