"""Keeps the errors of a model that is rolled back (REQ-F-ERR-003).

They were written in the model's transaction, which is undone, and another connection cannot see them
before. So they are written to a folder of the process's own first, as the store holds them (personal
columns hashed or left out), and taken in by a transaction of their own afterwards.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey


@dataclass(frozen=True)
class KeptErrors:
    """The errors of one model, in a folder until they are restored; ``folder`` is "" for none."""

    model: str
    run_id: str
    folder: str = ""

    @classmethod
    def of(cls, journey: Journey, store: StoreWriter) -> KeptErrors:
        """Take the errors out of the model's transaction, which is still open."""
        refinery = journey.refinery
        if refinery is None or refinery.emission is None:
            return cls(journey.node.id, journey.run_id)
        folder = tempfile.mkdtemp(prefix="cdme_errors_")
        try:
            rejects.export(store, journey.node.id, journey.run_id, journey.generation, folder)
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(journey.node.id, journey.run_id, folder)

    def restore(self, store: StoreWriter) -> None:
        """Write them on a connection outside that transaction, and remove the folder."""
        if not self.folder:
            return
        try:
            rejects.restore(store, self.model, self.run_id, self.folder)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
