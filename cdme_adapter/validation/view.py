"""What a rule sees of one model, and the three things that it may say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.analysis import Analysis
from cdme_adapter.validation.binding import BindError
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.lines import raw_line
from cdme_adapter.validation.predicates import line_of
from cdme_adapter.validation.project import Node, ProjectView
from cdme_adapter.validation.relations import Column, Relation, Shape
from cdme_adapter.validation.types import Typer


@dataclass(frozen=True)
class CannotTell:
    """A rule's third verdict: neither fine nor a finding, and why."""

    why: str


Said = Finding | CannotTell


@dataclass
class ModelView:
    """One model with all that is known about it."""

    node: Node
    project: ProjectView
    catalog: Catalog
    typer: Typer
    bound: list[Column] | BindError
    lookup: Callable[[str], Relation | None]
    functions: Callable[[], frozenset[str]]
    analysis: Analysis | None = None
    why: str = ""
    """Why there is no analysis."""
    missing: tuple[str, ...] = ()
    """Relations that the SQL names and nobody knows."""
    denied: tuple[Node, ...] = ()
    """What it may not build on: for this model it is not there."""
    unsettled: tuple[str, ...] = ()
    """Relations that exist but whose columns are not known."""
    estimates: Mapping[str, int | None] = field(default_factory=dict)

    def found(
        self,
        code: str,
        severity: str,
        message: str,
        remedy: str,
        at: exp.Expr | int | None = None,
    ) -> Finding:
        """A finding at a piece of the compiled SQL, placed in the file that the user wrote."""
        line = at if isinstance(at, int) else line_of(at)
        sql = self.node.sql or ""
        if line is not None and self.node.raw and self.node.raw != sql:
            line = raw_line(sql, self.node.raw, line)
        return Finding(code, message, severity, self.node.id, Place(self.node.file, line), remedy)

    def inputs(self) -> Iterator[tuple[str, Relation, Node | None]]:
        """The stored relations that are read, each with its node if dbt knows it."""
        for name, relation in (self.analysis.reads if self.analysis else {}).items():
            yield name, relation, self.project.by_relation(name)

    def names(self, wanted: str) -> list[str]:
        """Canonical names of the inputs that a name in meta.cdme stands for."""
        return [name for name, _, _ in self.inputs() if wanted.lower() in self._spellings(name)]

    def _spellings(self, name: str) -> set[str]:
        """What a stored relation may be called in meta.cdme."""
        parts = name.split(".")
        spellings = {name, parts[-1], ".".join(parts[1:])}
        node = self.project.by_relation(name)
        if node is not None:
            spellings |= {node.id, node.name}
            if node.resource_type == "source":
                spellings.add(".".join(node.id.split(".")[-2:]))
        return {spelling.lower() for spelling in spellings}

    def edges(self, wanted: str) -> Iterator[tuple[str, Shape]]:
        """The edges that a name stands for, of what is read and of what lies beneath views, each with
        the relation that this model reads."""
        for name, _, _ in self.inputs():
            top = self.analysis.root.edges.get(name) if self.analysis else None
            if top is None:
                continue
            node, found = self.project.by_relation(name), self.lookup(name)
            view = node is not None and node.materialized == "view"
            below = found.edges if view and found is not None else {}
            for base, shape in {name: Shape(), **below}.items():
                if wanted.lower() in self._spellings(base):
                    yield name, top.then(shape)

    def beneath(self, wanted: str) -> bool:
        """Whether a name stands for a stored relation that is read through views or ephemerals:
        the inputs of an edge (docs/concepts.md, Model)."""
        stack, seen = list(self.node.depends_on), set()
        while stack:
            one = stack.pop()
            node = self.project.nodes.get(one)
            if node is None or one in seen:
                continue
            seen.add(one)
            spellings = {node.id, node.name, ".".join(node.relation.split(".")[1:])}
            if node.resource_type == "source":
                spellings.add(".".join(node.id.split(".")[-2:]))
            if wanted.lower() in {spelling.lower() for spelling in spellings}:
                return True
            if node.materialized in ("view", "ephemeral"):
                stack += node.depends_on
        return False

    def title(self, name: str) -> str:
        """How a message names a relation."""
        node = self.project.by_relation(name)
        return node.name if node else name.split(".", 1)[-1]
