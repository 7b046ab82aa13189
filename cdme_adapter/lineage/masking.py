"""Which columns are masked: the personal ones of every relation, followed downstream (pii.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cdme_adapter.pii import of_manifest
from cdme_adapter.project import Manifest
from cdme_adapter.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from cdme_adapter.column_lineage import Followed, Place


class Masking:
    """The masked columns of each relation; none of them where the user may see them.

    ``columns`` gives the columns of a relation by the id of its node.
    """

    def __init__(
        self,
        manifest: Manifest,
        show_pii: bool = False,
        columns: Callable[[str], Iterable[str]] = lambda _: (),
    ) -> None:
        self.show_pii = show_pii
        self._personal = of_manifest(manifest, columns)
        self._seeds = {
            f"file.{node.raw.get('original_file_path')}": node.id
            for node in manifest.nodes.values() if node.type == "seed"
        }  # fmt: skip
        """The seed of each file: what is personal in the table is so in the file."""

    @property
    def anything(self) -> bool:
        """Whether there is anything to mask."""
        return self._personal.anything and not self.show_pii

    def relations(self) -> dict[Place, Followed]:
        """Columns and masked columns of every relation of the project, by its place in the database."""
        return {
            node.place: (self._personal.columns_of(one), self._personal.of(one))
            for one, node in self._personal.nodes.items()
            if node.place[2]
        }

    def of(self, relation: str) -> frozenset[str]:
        """The masked columns of a relation, in lower case."""
        if self.show_pii:
            return frozenset()
        return self._personal.of(self._seeds.get(relation, relation))

    def message(self, error: Exception) -> str:
        """The first line of an engine's error, without values where the project has personal columns."""
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return Pseudonyms(active=self.anything).redacted(first)
