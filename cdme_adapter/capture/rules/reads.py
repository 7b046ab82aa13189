"""Which relations a query reads, and in which role, without an idea of its rows.

For queries (or parts of queries) whose record lineage no rule knows: every record of what they read
may be behind every row (docs/concepts.md, superset). What cannot be followed to stored relations
raises UnsupportedConstruct: then nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.rules.files import file_of
from cdme_adapter.capture.rules.macros import table_macro
from cdme_adapter.capture.rules.recursion import is_recursive
from cdme_adapter.capture.rules.shape import has_window
from cdme_adapter.capture.rules.subquery import asked_of, nested_queries, predicate_kind
from cdme_adapter.capture.scope import Cte, Env
from cdme_adapter.capture.sqltext import conjuncts, functions, not_understood, parse, render
from cdme_adapter.provenance import Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

Read = tuple[str, Role]

INPUTLESS = frozenset({
    "range", "generate_series", "unnest", "json_each", "json_tree", "repeat", "repeat_row",
    "generate_subscripts", "flatten", "generate_date_array", "generate_timestamp_array",
})  # fmt: skip
"""Table functions that make rows out of their arguments alone."""


def reads(planner: Planner, query: exp.Expr, env: Env) -> set[Read]:
    """The stored relations beneath a query or a FROM item, each with its role.

    Raises UnsupportedConstruct where one of them cannot be known.
    """
    return _Reader(planner).query(query, env)


def within(role: Role, found: set[Read]) -> set[Read]:
    """What is read inside something that takes part in ``role``."""
    return found if role is Role.DIRECT else {(relation, role) for relation, _ in found}


@dataclass
class _Reader:
    planner: Planner
    known: dict[int, set[Read]] = field(default_factory=dict)
    """By common table expression; one that is being read has nothing more to say."""
    kept: list[Cte] = field(default_factory=list)
    steps: dict[int, Env] = field(default_factory=dict)
    """By recursive CTE: the names that its step sees, itself among them."""
    called: set[str] = field(default_factory=set)
    """Macros that were looked into; what one reads it reads in the role of its first call."""

    def query(self, node: exp.Expr, env: Env) -> set[Read]:
        """A query of any shape."""
        env = self._with(node, env)
        if isinstance(node, (exp.Subquery, exp.Paren)):
            return self.item(node.this, env) | self._joins(node, env) | self._limits(node, env)
        if isinstance(node, exp.SetOperation):
            role = Role.DIRECT
            if isinstance(node, exp.Except):
                role = Role.GUARD
            elif isinstance(node, exp.Intersect):
                role = Role.INDIRECT
            right = within(role, self.query(node.expression, env))
            return self.query(node.this, env) | right | self._limits(node, env)
        if isinstance(node, exp.Select):
            return self._select(node, env)
        if isinstance(node, exp.Pivot) and node.this is not None:
            return self.item(node.this, env) | self._expressions(node, env, {"this", "with_"})
        if isinstance(node, exp.Values):
            return self.expression(node, env)
        raise not_understood(f"{node.key.upper()} is not a query that can be captured", node)

    def _with(self, node: exp.Expr, env: Env) -> Env:
        with_ = node.args.get("with_")
        if with_ is None:
            return env
        env = dict(env)
        for one in with_.expressions:
            name = one.alias_or_name.lower()
            cte = Cte(one.this, (), dict(env), "", 0)
            if is_recursive(one):
                self.steps[id(cte)] = {**cte.env, name: cte}
            self.kept.append(cte)
            env[name] = cte
        return env

    def _select(self, node: exp.Select, env: Env) -> set[Read]:
        from_ = node.args.get("from_")
        found = self.item(from_.this, env) if from_ is not None else set()
        found |= self._joins(node, env)
        for lateral in node.args.get("laterals") or ():
            found |= self.item(lateral, env)
        beneath = {(relation, Role.INDIRECT) for relation, role in found if role is Role.DIRECT}
        for part in ("where", "having", "qualify"):
            clause = node.args.get(part)
            for one in conjuncts(clause.this) if clause is not None else ():
                kind = predicate_kind(one)
                guards = asked_of(one) if kind is not None and kind[1] is Role.GUARD else []
                for query in guards:
                    found |= within(Role.GUARD, self.query(query, env))
                found |= self.expression(one, env, but=guards)
        skipped = {"from_", "joins", "laterals", "where", "having", "qualify", "with_"}
        found |= self._expressions(node, env, skipped)
        looks_around = [*node.expressions, *(node.args.get(k) for k in ("qualify", "order"))]
        if any(has_window(part) for part in looks_around if part is not None) or self._is_partial(node):
            found |= beneath
        return found

    @staticmethod
    def _is_partial(node: exp.Expr) -> bool:
        """OFFSET and percentages look at all rows that reach them."""
        limit = node.args.get("limit")
        share = limit is not None and ("%" in render(limit) or "PERCENT" in render(limit).upper())
        return node.args.get("offset") is not None or share

    def _limits(self, node: exp.Expr, env: Env) -> set[Read]:
        found = self._expressions(node, env, {"this", "expression", "joins", "with_", "pivots"})
        if self._is_partial(node):
            inside = self.item(node.this, env)
            found |= {(relation, Role.INDIRECT) for relation, role in inside if role is Role.DIRECT}
        return found

    def _joins(self, node: exp.Expr, env: Env) -> set[Read]:
        found: set[Read] = set()
        for join in node.args.get("joins") or ():
            kind = str(join.args.get("kind") or "").upper()
            role = {"SEMI": Role.INDIRECT, "ANTI": Role.GUARD}.get(kind, Role.DIRECT)
            found |= within(role, self.item(join.this, env))
            if join.args.get("on") is not None:
                asked = Role.GUARD if kind == "ANTI" else Role.INDIRECT
                found |= self.expression(join.args["on"], env, asked)
        return found

    def item(self, node: exp.Expr, env: Env) -> set[Read]:
        """A FROM item with everything that hangs on it."""
        if isinstance(node, exp.Lateral):
            return self.item(node.this, env)
        if isinstance(node, exp.Table):
            found = self._table(node, env) | self._joins(node, env)
            return found | self._expressions(node, env, {"this", "joins", "alias"})
        if isinstance(node, exp.Func) and not isinstance(node, exp.Values):
            return self._function(node, env)
        return self.query(node, env)

    def _table(self, node: exp.Table, env: Env) -> set[Read]:
        files = file_of(self.planner, node, env)
        if files is not None:
            self.planner.relations.setdefault(files.id, files)
            return {(files.id, Role.DIRECT)}
        if not isinstance(node.this, exp.Identifier):
            return self._function(node.this, env)
        cte = env.get(node.name.lower()) if not node.db else None
        if cte is not None:
            return self._cte(cte)
        info = self.planner.catalog.relation(node.catalog, node.db, node.name)
        if info is None:
            raise not_understood(f"{node.sql()} is not a relation of the database", node)
        if info.view_sql is None:
            self.planner.relations[info.id] = info
            return {(info.id, Role.DIRECT)}
        created = parse(info.view_sql)
        query = created.expression if isinstance(created, exp.Create) else created
        return self.query(query, {})

    def _cte(self, cte: Cte) -> set[Read]:
        if id(cte) not in self.known:
            self.kept.append(cte)
            self.known[id(cte)] = set()
            self.known[id(cte)] = self._body(cte)
        return self.known[id(cte)]

    def _body(self, cte: Cte) -> set[Read]:
        """What a CTE reads; its own name is that of a recursion in the right arm of its UNION alone."""
        step = self.steps.get(id(cte))
        if step is None:
            return self.query(cte.query, cte.env)
        step = self._with(cte.query, step)
        base = self.query(cte.query.this, self._with(cte.query, cte.env))
        return base | self.query(cte.query.expression, step) | self._limits(cte.query, step)

    def _function(self, node: exp.Expr, env: Env) -> set[Read]:
        """A function in FROM."""
        if isinstance(node, (exp.Unnest, exp.Explode, exp.GenerateSeries, exp.Values)):
            return self.expression(node, env)
        name = next(functions(node))[1]
        if name in INPUTLESS:
            return self.expression(node, env)
        macro = table_macro(self.planner, node)
        if macro is not None:
            return self.query(macro, {})
        raise not_understood(f"the table function {name}() in FROM", node)

    def _expressions(self, node: exp.Expr, env: Env, skipped: set[str]) -> set[Read]:
        found: set[Read] = set()
        for key, value in node.args.items():
            if key in skipped:
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, exp.Expr):
                    found |= self.expression(part, env)
        return found

    def expression(
        self, node: exp.Expr, env: Env, role: Role = Role.INDIRECT, but: Sequence[exp.Expr] = ()
    ) -> set[Read]:
        """The subqueries of an expression, some apart, and what macros hide."""
        found: set[Read] = set()
        for query in nested_queries(node):
            if not any(query is known for known in but):
                found |= within(role, self.query(query, env))
        for _, name in functions(node):
            if self.planner.catalog.is_macro(name) and name not in self.called:
                self.called.add(name)
                for macro in self.planner.catalog.macros(name):
                    found |= within(role, self.expression(parse(f"SELECT {macro.body}"), {}))
        return found
