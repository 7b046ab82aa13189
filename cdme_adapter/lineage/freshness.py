"""Whether a relation still holds the generation that an edge speaks of (never assumed)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from cdme_adapter.contents import LOOK_CELLS, MARK, is_content
from cdme_adapter.engines.files import file_fingerprint, paths_of
from cdme_adapter.engines.rows import OLD_FINGERPRINT
from cdme_adapter.store.reader import Generation, Store, quote

RECOMPUTED = "recomputed"
"""The run of a view that is evaluated for a question."""
Stale = Literal[False, True, "unknown"]


def worst(states: list[Stale]) -> Stale:
    """The state of an answer that rests on several ends.

    >>> worst([False, "unknown"]), worst([True, "unknown"]), worst([])
    ('unknown', True, False)
    """
    if any(state is True for state in states):
        return True
    return "unknown" if any(state == "unknown" for state in states) else False


@dataclass
class Freshness:
    """Compares generations with the database now; remembers, where nothing can change."""

    store: Store
    _seen: dict[int, Stale] = field(default_factory=dict)
    _now: dict[str, str | None] = field(default_factory=dict)
    _changed: set[int] = field(default_factory=set)
    _matched: set[int] = field(default_factory=set)

    def forget(self) -> None:
        """Look again, unless nobody can have written since."""
        if not self.store.frozen:
            self._seen.clear()
            self._now.clear()

    def was_changed(self, generation: int) -> bool:
        """Whether a generation was noted as gone."""
        return generation in self._changed

    def note_changed(self, generations: Iterable[int]) -> None:
        """Remember generations that are known otherwise to be gone."""
        self._changed.update(generations)

    def note_matched(self, generation: int) -> None:
        """Remember a generation whose maps were made for the rows that its table holds now."""
        self._matched.add(generation)

    def was_matched(self, generation: int) -> bool:
        """Whether a generation's maps speak of the rows of now."""
        return generation in self._matched

    def of(self, generation: Generation | None) -> Stale:
        """True: gone. False: there, unchanged. "unknown": no sound fingerprint tells."""
        if generation is None or generation.id in self._changed:
            return True
        if generation.id not in self._seen:
            self._seen[generation.id] = self._look(generation)
        return self._seen[generation.id]

    def _look(self, generation: Generation) -> Stale:
        if generation.relation.startswith("file."):
            return self._files(generation)
        if generation.evaluated:
            return False
        count = self._count(generation)
        if count is None:
            return True
        if generation.row_count is not None and count != generation.row_count:
            return True
        if generation.file is not None and not generation.file.unchanged():
            return True
        current = self.store.current.get(generation.relation)
        if generation.id == current:
            return self._own(generation)
        mark = generation.fingerprint or MARK
        if current is not None and mark.startswith(MARK):  # a later run wrote it anew
            return True
        now = self._fingerprint(generation)
        if now is None or (generation.fingerprint or OLD_FINGERPRINT).startswith(OLD_FINGERPRINT):
            return "unknown"
        return now != generation.fingerprint

    def _own(self, generation: Generation) -> Stale:
        """What CDME wrote, by the hash of what its run left there."""
        if generation.file is not None or generation.run_id == RECOMPUTED:
            return False  # its file has the hash that it had; or it was made for this question
        name = ".".join(quote(part) for part in (generation.database, generation.schema, generation.name))
        held = is_content(self.store.rows, name, generation.fingerprint, LOOK_CELLS)
        return "unknown" if held is None else not held

    def _files(self, generation: Generation) -> Stale:
        """Files by path, size and time."""
        paths = paths_of(generation.fingerprint)
        now = file_fingerprint(self.store.rows, paths) if paths else None
        return "unknown" if now is None else now != generation.fingerprint

    def _count(self, generation: Generation) -> int | None:
        parts = (generation.database, generation.schema, generation.name)
        name = ".".join(quote(part) for part in parts if part)
        try:
            return int(self.store.rows(f"SELECT count(*) FROM {name}")[0][0])
        except Exception:
            return None

    def _fingerprint(self, generation: Generation) -> str | None:
        if generation.relation not in self._now:
            self._now[generation.relation] = fingerprint(self.store, generation)
        return self._now[generation.relation]


def fingerprint(store: Store, generation: Generation) -> str | None:
    """The present fingerprint of a relation that CDME does not write, or None: not sound."""
    try:
        from cdme_adapter.engines import rows as engine
    except ImportError:
        return None
    look: Callable[..., Any] | None = getattr(engine, "fingerprint", None)
    if look is None:
        return None
    found = look(store.rows, generation.database, generation.schema, generation.name)
    return None if found is None else str(found)
