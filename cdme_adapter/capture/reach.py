"""What can be reached from a query's result, and in which role: along a path direct after direct is
direct, anything else indirect (docs/concepts.md, Role)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cdme_adapter.capture.plan import ConsultedInput, Held, Lookup, Node, Port
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def beneath(planner: Planner, ports: Iterable[Port]) -> tuple[set[str], list[ConsultedInput]]:
    """The input relations beneath ports of any role, and what is consulted on the way."""
    known = _by_name(planner.nodes, planner.lookups)
    relations: set[str] = set()
    consulted: list[ConsultedInput] = []
    seen: set[str] = set()
    todo = [port.target for port in ports]
    while todo:
        target = todo.pop()
        if target in seen:
            continue
        seen.add(target)
        if target not in known:
            relations.add(target)
            continue
        consulted += planner.stage_consulted[target]
        todo += [port.target for port in known[target].ports]
    return relations, consulted


def _by_name(nodes: Sequence[Node], lookups: Sequence[Lookup]) -> dict[str, Held]:
    known: dict[str, Held] = {node.name: node for node in nodes}
    return {**known, **{lookup.name: lookup for lookup in lookups}}


def consulted_inputs(
    nodes: Sequence[Node], lookups: Sequence[Lookup], consulted: dict[str, list[ConsultedInput]]
) -> tuple[ConsultedInput, ...]:
    """One entry per relation and role other than direct, as weak as its weakest part."""
    known = _by_name(nodes, lookups)
    found: list[ConsultedInput] = []
    seen: set[tuple[str, Role]] = set()
    todo: list[tuple[str, Role]] = [(nodes[-1].name, Role.DIRECT)]
    while todo:
        name, role = todo.pop()
        if (name, role) in seen:
            continue
        seen.add((name, role))
        held = known.get(name)
        if held is None:
            if role is Role.INDIRECT:
                found.append(ConsultedInput(name, role, Exactness.EXACT, ""))
            continue
        for one in consulted[name]:
            beside = one.role is Role.DIRECT and role is Role.INDIRECT
            found.append(replace(one, role=Role.INDIRECT) if beside else one)
        todo += [(port.target, role.then(port.role)) for port in held.ports]
        if isinstance(held, Node) and held.frames:
            whole = [one for one in consulted[name] if one.role is Role.DIRECT]
            found += [replace(one, role=Role.INDIRECT) for one in whole]
            todo += [(port.target, Role.INDIRECT) for port in held.ports if port.column not in held.late]
    return _united(found)


def _united(consulted: list[ConsultedInput]) -> tuple[ConsultedInput, ...]:
    found: dict[tuple[str, Role], ConsultedInput] = {}
    for one in consulted:
        known = found.get((one.relation, one.role))
        if known is None or one.exactness.meet(known.exactness) is not known.exactness:
            found[one.relation, one.role] = one
    return tuple(found[key] for key in sorted(found, key=lambda k: (k[0], k[1].value)))
