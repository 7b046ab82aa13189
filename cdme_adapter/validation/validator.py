"""Judge the models of a project, parents first, before anything is built (REQ-F-AIA-001).

Sources' columns come from the warehouse; models' columns are inferred through the DAG.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cdme_adapter import plugins
from cdme_adapter.errors import Finding
from cdme_adapter.validation.analysis import Analysis, AnalysisError, analyse, table_names
from cdme_adapter.validation.binding import BindError, Scratch
from cdme_adapter.validation.cache import Cache, Judged, Weighed, digest, relation_digest
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.estimate import with_rows
from cdme_adapter.validation.inputs import declared_relation, enrich, seed_relation
from cdme_adapter.validation.permission import Sight, denied, restricted
from cdme_adapter.validation.project import Node, ProjectView
from cdme_adapter.validation.relations import Column, Relation, Shape, either
from cdme_adapter.validation.report import ALWAYS_REFUSED, NO_SQL, Estimate, Report, Verdict
from cdme_adapter.validation.rules import RULES, Rule
from cdme_adapter.validation.rules.target_type import in_macros
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.sql_rules import own_findings
from cdme_adapter.validation.types import Typer
from cdme_adapter.validation.view import CannotTell, ModelView

_WORD = re.compile(r"\w+")
_WITHOUT_BINDING = frozenset({"names", "access", "hidden_meta", "target_type", "hardcoded"})


class Validator:
    """One pass over a project; use as a context manager."""

    def __init__(
        self,
        project: ProjectView,
        catalog: Catalog,
        *,
        cache: Cache | None = None,
        rules: Iterable[tuple[str, Rule]] | None = None,
    ) -> None:
        self.project, self.catalog = project, catalog
        self.cache = cache if cache is not None else Cache()
        self.rules = tuple(rules or (*RULES, *plugins.each("cdme_validation_rules")))
        self.scratch = Scratch(project.directory, catalog.macros)
        self.scratch.use(project.database, project.schema)
        self.typer = Typer(self.scratch)
        self._known: dict[str, Relation | None] = {}
        self._added: set[str] = set()
        self._by_word: dict[str, list[str]] | None = None
        self._odd: list[tuple[str, str]] = []
        self._restricted = restricted(project)
        self._budgeted = project.ancestors(n.id for n in project.nodes.values() if n.config.budget)
        self._settings = digest(
            project.as_roles,
            catalog.macros,
            [name for name, _ in self.rules],
            plugins.names(),
            project.yaml,
        )

    def __enter__(self) -> Validator:
        return self

    def __exit__(self, *_: object) -> None:
        self.scratch.__exit__()

    def run(self, select: Iterable[str] | None = None) -> Report:
        """Judge the selected models; their ancestors are inferred, not reported."""
        # Trees of SQL are many small objects that live briefly: collecting them costs a fifth.
        # What is there already, dbt's manifest for one, is not looked through each time either.
        before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(200_000, 20, 100)
        try:
            return self._run(select)
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()

    def _run(self, select: Iterable[str] | None) -> Report:
        report = Report()
        selected = set(self.project.matching(select))
        needed = self.project.ancestors(selected)
        for unique_id in self.project.order():
            if unique_id not in needed:
                continue
            node = self.project.nodes[unique_id]
            judged = self._judge(node, report)
            if unique_id in selected:
                self._add(report, node, judged)
        for finding in own_findings(self.project, self._known, report, selected):
            _sort_in(report, self.project.nodes[finding.model or ""], finding)
        if select is None:
            report.findings += list(in_macros(self.project))
        self.cache.save(whole=select is None)
        return report

    def _judge(self, node: Node, report: Report) -> Judged | None:
        if node.resource_type in ("source", "seed") or not node.stored:
            return None
        readable = self._readable(node)
        parents = [self.lookup(r) for r in readable]
        key = digest(
            self._settings,
            replace(node, depends_on=(), keys=(), replaced_by=frozenset()),
            [sorted(columns) for columns in (*node.keys, node.replaced_by)],
            [relation_digest(p) for p in parents if p is not None],
            [p is None for p in parents],
            [other.id for other in denied(self.project, node, self._restricted)],
        )
        judged = self.cache.get(key)
        if judged is not None and node.id in self._budgeted and not self._still(judged):
            judged = None
        if judged is None:
            judged = self._check(node)
            self.cache.put(key, judged)
            report.rechecked += 1
        self._known[node.relation] = judged.relation
        return judged

    def _still(self, judged: Judged) -> bool:
        """Whether its keys are distributed as they were: one can grow skewed where rows and values stay."""
        return all(w.digest == digest(self.catalog.weights(w.table, w.key)) for w in judged.weighed)

    def _parents(self, node: Node) -> list[Node]:
        """The stored parents, ephemeral ones followed through."""
        found: dict[str, Node] = {}
        stack, seen = list(node.depends_on), set()
        while stack:
            current = stack.pop(0)
            parent = self.project.nodes.get(current)
            if parent is None or current in seen:
                continue
            seen.add(current)
            if parent.stored:
                found[current] = parent
            else:
                stack += parent.depends_on
        return list(found.values())

    def _readable(self, node: Node) -> list[str]:
        named = dict.fromkeys(p.relation for p in self._parents(node))
        others = self._mentioned((node.sql or "").lower())
        return [*named, *(r for r in others if r not in named)]

    def _mentioned(self, sql: str) -> list[str]:
        """The stored relations whose name stands in the SQL, in the catalog's order."""
        if self._by_word is None:
            self._by_word, self._odd = {}, []
            for relation in self.catalog.relations:
                last = relation.split(".", 2)[-1]
                if last.isidentifier():
                    self._by_word.setdefault(last, []).append(relation)
                else:
                    self._odd.append((last, relation))
        words = set(_WORD.findall(sql))
        found = [r for word in sorted(words & self._by_word.keys()) for r in self._by_word[word]]
        return found + [relation for last, relation in self._odd if last in sql]

    def lookup(self, name: str) -> Relation | None:
        """What is known of a stored relation, by its canonical name."""
        name = name.lower()
        if name not in self._known:
            self._known[name] = self._outside(name)
        return self._known[name]

    def _outside(self, name: str) -> Relation | None:
        stored = self.catalog.relation(name)
        node = self.project.by_relation(name)
        if node is None:
            return stored
        if stored is None and node.resource_type == "seed":
            stored = seed_relation(node, self.project, self.scratch)
        if node.resource_type in ("model", "snapshot"):
            # Not judged yet: it stands later in the order, or reads itself.
            stored = stored or Relation(name, opaque=True)
        return enrich(stored, node) if stored is not None else None

    def _check(self, node: Node) -> Judged:
        self.catalog.asked.clear()
        view = self._view(node)
        findings: list[Finding] = list(node.config_findings)
        verdicts: list[Verdict] = []
        unbound = isinstance(view.bound, BindError) and view.bound.code != "CANNOT_BIND"
        for name, check in self.rules:
            if unbound and name not in _WITHOUT_BINDING:
                why = "columns of an input are not known" if view.unsettled else "it does not bind"
                verdicts.append(Verdict(node.id, name, "unknown", why))
                continue
            said = list(check(view))
            if not said and view.analysis is None and name not in _WITHOUT_BINDING:
                said = [CannotTell(view.why or "the SQL cannot be read")]
            found = [s for s in said if isinstance(s, Finding)]
            unsure = [s.why for s in said if isinstance(s, CannotTell)]
            findings += found
            state = "finding" if found else ("unknown" if unsure else "fine")
            verdicts.append(Verdict(node.id, name, state, "" if found else "; ".join(unsure)))
        unique = list(dict.fromkeys(findings))
        asked = [(*one, digest(self.catalog.weights(*one))) for one in list(self.catalog.asked)]
        weighed = tuple(Weighed(*one) for one in asked)
        return Judged(self._relation(node, view), tuple(unique), tuple(verdicts), weighed)

    def _view(self, node: Node) -> ModelView:
        view = ModelView(
            node, self.project, self.catalog, self.typer, [], self.lookup, self.scratch.functions
        )
        sight = Sight(self.project, node, self.lookup, self._describe)
        view.denied = tuple(sight.denied.values())
        if node.language != "sql" or not node.sql:
            no_sql = f"it does not compile yet: {node.why_no_sql}" if node.why_no_sql else NO_SQL
            view.why = "a python model" if node.language != "sql" else no_sql
            view.bound = BindError("CANNOT_BIND", view.why)
            return view
        if node.materialized == "table_function":
            view.why = "a table function: its parameters have values only where it is called"
            view.bound = BindError("CANNOT_BIND", view.why)
            return view
        try:
            view.analysis = analyse(
                node.sql,
                sight.lookup,
                sight.describe,
                database=self.project.database,
                schema=self.project.schema,
                fill=self._fill,
            )
        except AnalysisError as error:
            view.why = str(error)
        self._stage(node, view.analysis)
        if view.analysis is not None:
            unsettled = [n for n in view.analysis.unsettled if n not in view.analysis.missing]
            hidden = {n.relation for n in sight.denied.values()}
            view.missing = tuple(dict.fromkeys(n for n in view.analysis.missing if n not in hidden))
            view.unsettled = tuple(dict.fromkeys(unsettled))
        else:
            place = (self.project.database, self.project.schema)
            for name in (*self.scratch.tables(node.sql, *place), *table_names(node.sql, *place)):
                sight.may_read(name)
            known = [(name, self.lookup(name)) for name in self._readable(node)]
            view.unsettled = tuple(name for name, r in known if r is not None and r.opaque)
        view.denied = tuple(sight.denied.values())
        if view.denied:
            view.bound = BindError("UNKNOWN_RELATION", "a relation that is not there")
            return view
        view.bound = self.scratch.bind(node.sql)
        if isinstance(view.bound, list) and view.analysis is not None:
            told = not view.analysis.root.opaque and len(view.analysis.root.columns) == len(view.bound)
            root = _renamed(view.analysis.root, view.bound)
            view.analysis.root = root if told else self._masked(node, root)
            view.estimates = {node.id: view.analysis.root.rows}
        return view

    def _fill(self, facts: SelectFacts, output: Relation) -> Relation:
        return with_rows(facts, self.typer.fill(facts, output), self.catalog)

    def _describe(self, sql: str) -> list[Column] | None:
        found = self.scratch.bind(sql)
        return found if isinstance(found, list) else None

    def _stage(self, node: Node, analysis: Analysis | None) -> None:
        """Create the empty tables that a model reads."""
        names = list(analysis.reads) if analysis is not None else self._readable(node)
        for name in names:
            relation = self.lookup(name)
            if relation is not None and name not in self._added and self.scratch.add(relation):
                self._added.add(name)

    def _relation(self, node: Node, view: ModelView) -> Relation:
        if not isinstance(view.bound, list):
            return enrich(self._masked(node, declared_relation(node, self.catalog)), node)
        root = view.analysis.root if view.analysis is not None else Relation("", opaque=True)
        if root.opaque or len(root.columns) != len(view.bound):
            root = self._masked(node, Relation(node.relation, tuple(view.bound), rows=root.rows))
        # A view stores nothing: who reads it has edges to what lies beneath.
        edges = self._beneath(root.edges) if node.materialized == "view" else {}
        root = replace(root, name=node.relation, edges=edges, opaque=False)
        return enrich(root, node)

    def _masked(self, node: Node, relation: Relation) -> Relation:
        """Columns of which nobody knows what they are made of: personal, if anything that is read is."""
        above = (found for name in self._readable(node) if (found := self.lookup(name)) is not None)
        if not any(c.personal for found in above for c in found.columns):
            return relation
        return replace(relation, columns=tuple(replace(c, personal=True) for c in relation.columns))

    def _beneath(self, edges: Mapping[str, Shape]) -> dict[str, Shape]:
        """A view's edges, and those of the views that it reads."""
        found = dict(edges)
        for name, shape in edges.items():
            node, relation = self.project.by_relation(name), self.lookup(name)
            if node is not None and node.materialized == "view" and relation is not None:
                for base, below in relation.edges.items():
                    new, old = shape.then(below), found.get(base)
                    found[base] = new if old is None else Shape(either(old.many_in, new.many_in), True)
        return found

    def _add(self, report: Report, node: Node, judged: Judged | None) -> None:
        if judged is None:
            return
        report.verdicts += judged.verdicts
        report.relations[node.id] = judged.relation
        budget = node.config.budget
        skew = tuple(f.message for f in judged.findings if f.code == "SKEWED_KEY")
        most = budget.rows if budget else None
        report.estimates.append(Estimate(node.id, judged.relation.rows, most, skew))
        for finding in judged.findings:
            _sort_in(report, node, finding)


def _sort_in(report: Report, node: Node, finding: Finding) -> None:
    """Put a finding where the node's options want it: said, suppressed, or a refusal."""
    because = _suppressed(node, finding)
    always = _refuses_always(node, finding)
    if because is not None and finding.code != "ACCESS_DENIED":
        report.suppressed.append((finding, because))
    elif node.config.validate != "off" or always:
        report.findings.append(finding)
        if always or (node.config.validate == "error" and finding.severity == "error"):
            report.refusals.append(finding)


def _renamed(root: Relation, bound: list[Column]) -> Relation:
    """The facts under the names and types that DuckDB gives the output's columns."""
    if root.opaque or len(root.columns) != len(bound):
        return Relation(root.name, tuple(bound), rows=root.rows, edges=root.edges)
    names = {a.name.lower(): b.name.lower() for a, b in zip(root.columns, bound, strict=True)}
    columns = tuple(replace(a, name=b.name, type=b.type) for a, b in zip(root.columns, bound, strict=True))
    keys = tuple(frozenset(names[c] for c in key) for key in root.keys if key <= names.keys())
    return replace(root, columns=columns, keys=keys)


def _suppressed(node: Node, finding: Finding) -> str | None:
    return next((s.because for s in node.config.suppress if s.code == finding.code), None)


def _refuses_always(node: Node, finding: Finding) -> bool:
    """ACCESS_DENIED, a declared budget and a declared grain refuse whatever ``validate`` says."""
    if finding.code in ALWAYS_REFUSED:
        return True
    if not node.config.grain or finding.severity != "error":
        return False
    declared = finding.code == "GRAIN_FANOUT" and "the declared grain" in finding.message
    nameless = finding.code == "UNKNOWN_COLUMN" and "meta.cdme.grain" in finding.message
    return declared or nameless or finding.code == "GRAIN_MIXED"


def validate_project(
    project: ProjectView,
    catalog: Catalog,
    select: Iterable[str] | None = None,
    *,
    cache: Cache | None = None,
) -> Report:
    """Judge a project's models; nothing is run and nothing written but the cache."""
    with Validator(project, catalog, cache=cache) as validator:
        return validator.run(select)


def rules_of(report: Report, model: str) -> Iterator[Verdict]:
    """What each rule said of one model."""
    return (v for v in report.verdicts if v.model == model)
