"""UNKNOWN_RELATION, UNKNOWN_COLUMN, UNKNOWN_FUNCTION, AMBIGUOUS_COLUMN, COMPILE_ERROR.

Whatever DuckDB cannot bind, with the nearest real name: hallucinated references are the commonest
fault of machine-written SQL (REQ-F-AIA-001).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from cdme_adapter.validation.binding import BindError
from cdme_adapter.validation.permission import denied
from cdme_adapter.validation.view import CannotTell, ModelView, Said

_REMEDIES = {
    "AMBIGUOUS_COLUMN": "say which table it is of, as in alias.column",
    "TYPE_MISMATCH": "cast one side so that both are of one type",
    "GRAIN_MIXED": "add the column to GROUP BY, or aggregate it",
    "COMPILE_ERROR": "correct the SQL at this place",
}


def check(view: ModelView) -> Iterator[Said]:
    """Every relation that is missing, and the first thing that does not bind."""
    for name in view.missing:
        yield missing_relation(view, name, "UNKNOWN_RELATION")
    error = view.bound
    if not isinstance(error, BindError):
        return
    if view.missing or view.denied:
        return
    if error.code == "CANNOT_BIND" or view.unsettled:
        yield CannotTell(
            f"columns of {', '.join(view.unsettled)} are not known" if view.unsettled else error.message
        )
        return
    yield from _unbound(view, error)


def _unbound(view: ModelView, error: BindError) -> Iterator[Said]:
    if error.code == "UNKNOWN_FUNCTION" and _made_later(view, error.missing or ""):
        yield CannotTell(f"{error.missing} is a function of the user's that is not in DuckDB here")
        return
    remedy = _REMEDIES.get(error.code, "")
    severity = "error"
    if error.code == "UNKNOWN_COLUMN":
        near = _nearest(error.missing or "", _columns(view), error.nearest)
        remedy = _suggest(near, "no column has a similar name")
    if error.code == "UNKNOWN_FUNCTION":
        near = _nearest(error.missing or "", view.functions(), ())
        remedy = _suggest(near, "DuckDB has no function of a similar name")
    if error.code == "UNKNOWN_RELATION":
        remedy = _suggest(list(error.nearest), "name a table that stands in FROM")
    yield view.found(error.code, severity, error.message, remedy, error.line or 1)


def missing_relation(view: ModelView, name: str, code: str, place: str = "") -> Said:
    """The same words for a relation that is missing and for one that may not be seen.

    ``name`` is what was asked for, ``place`` the stored relation that the SQL names in its stead.
    """
    short = name.split(".")[-1]
    # What may not be seen is not proposed either.
    hidden = {n.relation for n in denied(view.project, view.node, view.project.nodes.values())}
    known = {
        n.relation.split(".")[-1]: n.name
        for n in view.project.nodes.values()
        if n.relation and n.relation not in hidden and n.id != view.node.id
    }
    known |= {r.split(".")[-1]: r.split(".", 1)[1] for r in view.catalog.relations if r not in hidden}
    known.pop(short, None)
    near = difflib.get_close_matches(short, list(known), 1, 0.6)
    line = view.analysis.places.get(place or name) if view.analysis else None
    if line is None:
        text = (view.node.sql or "").lower().splitlines()
        line = next((n for n, part in enumerate(text, 1) if short in part), 1)
    return view.found(
        code,
        "error",
        f"there is no relation {name.strip('.')} to build on",
        _suggest([known[n] for n in near], "check the name, or add the model or source"),
        line,
    )


def _made_later(view: ModelView, name: str) -> bool:
    if name.lower() in view.catalog.functions:
        return True
    wanted = name.lower()
    return any(
        wanted in text.lower() and "create" in text.lower() for _, text in view.project.macros.values()
    )


def _columns(view: ModelView) -> list[str]:
    reads = view.analysis.reads if view.analysis else {}
    relations = list(reads.values()) or [
        r
        for n in view.node.depends_on
        if (node := view.project.nodes.get(n)) and (r := view.lookup(node.relation))
    ]
    return [c.name for r in relations for c in r.columns]


def _nearest(name: str, known: Iterable[str], first: tuple[str, ...]) -> list[str]:
    options = {k.lower(): k for k in [*known, *(f.split(".")[-1] for f in first)]}
    found = difflib.get_close_matches(name.lower(), list(options), 1, 0.5)
    return [options[f] for f in found] or list(first[:1])


def _suggest(near: list[str], otherwise: str) -> str:
    return f"did you mean {near[0]}?" if near else otherwise
