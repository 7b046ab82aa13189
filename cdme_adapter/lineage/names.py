"""From what a person types to the unique id of a relation; never a silent guess.

Accepted are a unique id, a name, ``source.table`` and ``schema.table`` (docs/commands.md); what several
relations answer to is refused with the candidates, what none answers to with the nearest name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from cdme_adapter.errors import QuestionError
from cdme_adapter.project import Manifest
from cdme_adapter.store.reader import Store

_MADE = ("model.", "seed.", "snapshot.")
"""How the unique ids of what dbt makes begin."""


def known_names(manifest: Manifest, store: Store) -> dict[str, set[str]]:
    """Each unique id with the names that it answers to, in lower case."""
    names: dict[str, set[str]] = {}
    for node in manifest.nodes.values():
        said = {
            node.name,
            node.identifier,
            f"{node.schema}.{node.identifier}",
            f"{node.database}.{node.schema}.{node.identifier}",
        }
        if node.type == "source":
            said.add(f"{node.source_name}.{node.name}")
        version = node.raw.get("version")
        if version is not None:
            said.add(f"{node.name}.v{version}")
        names[node.id] = {name.lower() for name in said}
    for generation in store.generations.values():
        if generation.relation in names:
            continue
        last = generation.relation.split(".")[-1]
        said = {
            generation.name,
            f"{generation.schema}.{generation.name}",
            last,
            f"{generation.database}.{generation.schema}.{generation.name}",
        }
        if generation.relation.startswith("source."):
            said.add(".".join(generation.relation.split(".")[-2:]))
        names[generation.relation] = {name.lower() for name in said if name}
    return names


def resolve(text: str, names: Mapping[str, Iterable[str]], what: str = "relation") -> str:
    """The one unique id that ``text`` names.

    >>> resolve("orders", {"model.p.orders": {"orders", "main.orders"}})
    'model.p.orders'
    """
    if text in names:
        return text
    wanted = text.lower()
    found = sorted(key for key, said in names.items() if wanted in said)
    if len(found) == 1:
        return found[0]
    if found:
        raise QuestionError(
            f"{text!r} is ambiguous: it names {' and '.join(found)}",
            code="AMBIGUOUS_NAME",
            remedy="give one of these unique ids",
        )
    if what == "model":
        names = {key: said for key, said in names.items() if key.startswith(_MADE)} or names
    raise QuestionError(
        f"there is no {what} {text!r}", code="UNKNOWN_NAME", remedy=nearest_remedy(wanted, names)
    )


def nearest_remedy(wanted: str, names: Mapping[str, Iterable[str]]) -> str:
    """A hint at the nearest names, one for each relation, or at those that there are.

    >>> nearest_remedy("oders", {"model.p.orders": {"orders", "main.orders"}})
    'did you mean orders?'
    """
    by_name = {name: key for key, said in names.items() for name in (key, *said)}
    near = difflib.get_close_matches(wanted, sorted(by_name), n=9, cutoff=0.6)
    best: dict[str, str] = {}
    for name in near:  # the nearest first: a relation is named by the nearest of its names
        best.setdefault(by_name[name], name)
    if best:
        return f"did you mean {' or '.join(list(best.values())[:3])}?"
    shown = ", ".join(sorted(names)[:10])
    return f"known are: {shown}" if shown else "nothing is known yet: run `dbt build` first"
