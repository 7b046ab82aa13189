"""Which columns of a subquery are its surroundings': names resolved level by level, or not at all.

Where one column is not certain the whole answer is None, and the caller says superset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.rules.recursion import is_recursive
from cdme_adapter.capture.scope import Env, Visible

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

Names = tuple[str, frozenset[str] | None]
"""An alias of a FROM clause and its columns in lower case, None where they are not known."""


@dataclass(frozen=True)
class Outer:
    """The resolution of one subquery's names."""

    planner: Planner
    query: exp.Expr
    env: Env
    visible: tuple[Visible, ...]

    def columns(self) -> list[exp.Column] | None:
        """The columns that belong to the surroundings; None where one is not certain."""
        found = []
        for column in self.query.find_all(exp.Column):
            inner = self._is_inner(column)
            if inner is None or (not inner and not self._is_around(column)):
                return None
            if not inner:
                found.append(column)
        return found

    def _is_around(self, column: exp.Column) -> bool:
        parts = [part.name.lower() for part in column.parts]
        if isinstance(column.this, exp.Star):
            return False
        if len(parts) > 1:
            owners = [v for v in self.visible if v.alias.lower() == parts[-2]]
            return len(parts) == 2 and bool(owners)
        if any(v.columns is None for v in self.visible):
            return False
        return any(parts[0] in map(str.lower, v.columns or ()) for v in self.visible)

    def _is_inner(self, column: exp.Column) -> bool | None:
        """Whether a level of the subquery itself offers the column; None if that is not certain."""
        parts = [part.name.lower() for part in column.parts]
        certain = True
        for select in self._levels(column):
            names = self._offered(select)
            aliases = {alias for alias, _ in names}
            if any(part in aliases for part in parts[:-1]):
                return True
            if len(parts) > 1 and any(v.alias.lower() == parts[-2] for v in self.visible):
                continue
            if any(known is not None and parts[0] in known for _, known in names):
                return True
            if any(item.alias.lower() == parts[0] for item in select.expressions if item.alias):
                return True
            certain = certain and all(known is not None for _, known in names)
        return False if certain else None

    def _levels(self, column: exp.Column) -> Iterator[exp.Select]:
        """The SELECTs whose FROM clause an expression can see, from the inside out."""
        child: exp.Expr = column
        while child is not self.query:
            parent = child.parent
            if parent is None:
                return
            hidden = isinstance(parent, (exp.From, exp.With)) or (
                isinstance(parent, exp.Join) and child.arg_key == "this"
            )
            child = parent
            if hidden:
                while not isinstance(child, exp.Query) or isinstance(child, exp.Subquery):
                    if child is self.query or child.parent is None:
                        return
                    child = child.parent
                continue
            if isinstance(child, exp.Select):
                yield child

    def _offered(self, select: exp.Select) -> list[Names]:
        """What the FROM clause of a SELECT offers."""
        from_ = select.args.get("from_")
        items = [from_.this] if from_ is not None else []
        items += [join.this for join in select.args.get("joins") or ()]
        return [names for item in items for names in self._item(item)]

    def _item(self, item: exp.Expr) -> list[Names]:
        joined = [j.this for j in item.args.get("joins") or ()]
        more = [names for one in joined for names in self._item(one)]
        if isinstance(item, exp.Subquery) and isinstance(item.this, (exp.Table, exp.Subquery)):
            return [*self._item(item.this), *more]
        alias = item.args.get("alias")
        listed = [c.name.lower() for c in alias.args.get("columns") or ()] if alias is not None else []
        own = self._columns(item)
        if listed and own is not None and len(listed) < len(own):
            own = None
        return [(item.alias_or_name.lower(), frozenset(listed) if listed else own), *more]

    def _columns(self, item: exp.Expr) -> frozenset[str] | None:
        if isinstance(item, exp.Subquery):
            return self._outputs(item.this)
        if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
            return None
        name = item.name.lower()
        if not item.db:
            known = self.planner.key_columns.get(item.name)
            if known is not None:
                return frozenset(known)
            cte = self._own_cte(item, name)
            if cte is not None:
                columns = cte.args["alias"].args.get("columns") or ()
                return frozenset(c.name.lower() for c in columns) or self._outputs(cte.this)
            outer = self.env.get(name)
            if outer is not None:
                inside = Outer(self.planner, outer.query, outer.env, ())
                return frozenset(c.lower() for c in outer.columns) or inside._outputs(outer.query)
        info = self.planner.catalog.relation(item.catalog, item.db, item.name)
        return frozenset(c.lower() for c in info.columns) if info is not None else None

    def _own_cte(self, item: exp.Expr, name: str) -> exp.CTE | None:
        part: exp.Expr | None = item
        inside: set[int] = set()
        while part is not None:
            with_ = part.args.get("with_")
            for cte in with_.expressions if with_ is not None else ():
                if id(cte) in inside and not is_recursive(cte):
                    break  # it sees those before it, and not itself
                if cte.alias_or_name.lower() == name:
                    return cte  # type: ignore[no-any-return]
            if part is self.query:
                return None
            inside.add(id(part))
            part = part.parent
        return None

    def _outputs(self, query: exp.Expr) -> frozenset[str] | None:
        """The output columns of a query, stars looked through."""
        while isinstance(query, (exp.Subquery, exp.Paren)):
            query = query.this
        if isinstance(query, exp.SetOperation):
            return None if query.args.get("by_name") else self._outputs(query.this)
        if not isinstance(query, exp.Select):
            return None
        names: set[str] = set()
        for item in query.expressions:
            star = item.this if isinstance(item, exp.Column) else item
            if not isinstance(star, exp.Star):
                names.add(item.alias_or_name.lower())
                continue
            if any(star.args.get(key) for key in ("except_", "rename")):
                return None
            for alias, known in self._offered(query):
                if isinstance(item, exp.Column) and item.table.lower() != alias:
                    continue
                if known is None:
                    return None
                names |= known
        return frozenset(names)
