"""What was judged before and has not changed: verdicts by the hash of all that they rest on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdme_adapter import __version__
from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.relations import Column, Measure, Nulls, Relation, Repeat, Shape
from cdme_adapter.validation.report import Verdict

FORMAT = 3


@dataclass(frozen=True)
class Weighed:
    """A key of a stored table, as SQL, and a hash of its distribution."""

    table: str
    key: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Judged:
    """One model's outcome: its relation, what the rules said, and its expected rows."""

    relation: Relation
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    weighed: tuple[Weighed, ...] = ()
    """The keys whose distributions its rows were estimated from."""


@dataclass
class Cache:
    """Outcomes by key; ``path`` None keeps them in memory only."""

    path: Path | None = None
    entries: dict[str, Any] = field(default_factory=dict)
    used: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None) -> Cache:
        """The cache in a file; an unreadable or older one is an empty one."""
        if path is None or not path.exists():
            return cls(path)
        try:
            stored = json.loads(path.read_text())
        except (OSError, ValueError):
            return cls(path)
        if stored.get("format") != FORMAT or stored.get("version") != __version__:
            return cls(path)
        return cls(path, stored.get("entries") or {})

    def get(self, key: str) -> Judged | None:
        """What was judged under this key."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        self.used[key] = entry
        return Judged(
            relation_from(entry["relation"]),
            tuple(_finding(f) for f in entry["findings"]),
            tuple(Verdict(**v) for v in entry["verdicts"]),
            tuple(Weighed(w["table"], tuple(w["key"]), w["digest"]) for w in entry["weighed"]),
        )

    def put(self, key: str, judged: Judged) -> None:
        """Remember an outcome."""
        entry = {
            "relation": relation_json(judged.relation),
            "findings": [{**vars(f), "place": vars(f.place)} for f in judged.findings],
            "verdicts": [dict(vars(v)) for v in judged.verdicts],
            "weighed": [dict(vars(w)) for w in judged.weighed],
        }
        self.entries[key] = self.used[key] = entry

    def save(self, *, whole: bool) -> None:
        """Write the file; ``whole`` drops what this run did not use."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        entries = self.used if whole else self.entries
        document = {"format": FORMAT, "version": __version__, "entries": entries}
        beside = self.path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(document))
        beside.replace(self.path)


def digest(*parts: Any) -> str:
    """A hash of these values' texts."""
    text = "\x1f".join(p if isinstance(p, str) else repr(p) for p in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def relation_digest(relation: Relation) -> str:
    """A hash of what is known of a relation, made once: every child's key rests on it."""
    made: str | None = relation.__dict__.get("_digest")
    if made is None:
        made = digest(repr(relation_json(relation)))
        object.__setattr__(relation, "_digest", made)
    return made


def relation_json(relation: Relation) -> dict[str, Any]:
    """A relation as JSON; sets as sorted lists, so that equal relations are equal texts."""
    return {
        "name": relation.name,
        "columns": [
            {
                **vars(c),
                "nulls": c.nulls.value,
                "measure": vars(c.measure) if c.measure else None,
                "repeat": vars(c.repeat) if c.repeat else None,
            }
            for c in relation.columns
        ],
        "keys": sorted(sorted(k) for k in relation.keys),
        "keys_known": relation.keys_known,
        "rows": relation.rows,
        "edges": {name: dict(vars(shape)) for name, shape in sorted(relation.edges.items())},
        "opaque": relation.opaque,
        "base": relation.base,
    }


def relation_from(raw: Mapping[str, Any]) -> Relation:
    """The relation that :func:`relation_json` wrote."""
    return Relation(
        raw["name"],
        tuple(_column(c) for c in raw["columns"]),
        tuple(frozenset(k) for k in raw["keys"]),
        raw["keys_known"],
        raw["rows"],
        {name: Shape(**shape) for name, shape in raw["edges"].items()},
        raw["opaque"],
        base=raw["base"],
    )


def _column(raw: Mapping[str, Any]) -> Column:
    measure, repeat = raw["measure"], raw["repeat"]
    return Column(
        raw["name"],
        raw["type"],
        Nulls(raw["nulls"]),
        Measure(measure["kind"], tuple(measure["grain"])) if measure else None,
        Repeat(**repeat) if repeat else None,
        raw["distinct"],
        raw["literal"],
        raw["surrogate"],
        raw["stored"],
        raw["personal"],
    )


def _finding(raw: Mapping[str, Any]) -> Finding:
    return Finding(**{**raw, "place": Place(**raw["place"])})
