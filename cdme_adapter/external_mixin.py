"""Where dbt writes the file of an external model (:mod:`cdme_adapter.external`)."""

from __future__ import annotations

from typing import Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.adapters.events.logging import AdapterLogger

from cdme_adapter.errors import CaptureError
from cdme_adapter.external import StagedFile, remove_staged, settle_in_place, stage, write_pending
from cdme_adapter.pipeline import Journey
from cdme_adapter.store.files import FileRow, pending
from cdme_adapter.store.writer import StoreWriter

logger = AdapterLogger("CDME")


class ExternalMixin(metaclass=AdapterMeta):
    """The part of the adapter that stages files."""

    connections: Any
    _cdme_thread: Any
    _journey: Any

    def _cdme_execute(self, sql: str) -> list[Any]:
        raise NotImplementedError

    @available
    def cdme_stage(self, location: str, options: str) -> str:
        """Where the file of the present model is to be written."""
        journey: Journey | None = self._journey
        self._cdme_thread.staged = None
        if journey is None or not self.connections.get_thread_connection().transaction_open:
            return location
        store = StoreWriter(self._cdme_execute, journey.node.database)
        keep = {row.staged for row in pending(self._cdme_execute, store.schema)}
        staged = stage(location, journey.run_id, options, keep)
        several = staged is None or staged.several
        order = self._cdme_execute("SELECT current_setting('preserve_insertion_order')")[0][0]
        if journey.captured and (several or not order):
            store.forget(journey.generation)
            journey.entries.clear()
            what = "it is written to several files" if order else "preserve_insertion_order is off"
            if staged is None:
                what = "its file does not lie on this machine"
            journey.refuse(CaptureError(f"{what}: its rows have no order", code="CAPTURE_FILES"))
        self._cdme_thread.staged = staged
        return staged.path if staged else location

    def _cdme_over_staged(self, sql: str) -> str:
        """The statement that makes the view of an external model, over the file as it is now."""
        staged: StagedFile | None = getattr(self._cdme_thread, "staged", None)
        return staged.over_staged(sql) if staged else sql

    def _cdme_note_file(self, journey: Journey, store: StoreWriter) -> None:
        """Commit the file as pending, with the account."""
        staged: StagedFile | None = getattr(self._cdme_thread, "staged", None)
        self._cdme_thread.staged, self._cdme_thread.noted = None, None
        if staged is None or not staged.view:
            return
        node = journey.node
        parts = (node.database, node.schema, node.identifier)
        row = staged.row(self._cdme_execute, journey.generation, node.id, journey.run_id, parts)
        write_pending(self._cdme_execute, store.schema, row)
        self._cdme_thread.noted = (store.schema, row)

    def _cdme_drop_file(self) -> None:
        """Remove the file of a model that was not committed."""
        staged: StagedFile | None = getattr(self._cdme_thread, "staged", None)
        self._cdme_thread.staged = None
        if staged is not None:
            remove_staged(staged.path)

    def _cdme_place_file(self) -> None:
        """After the commit: bring the file to its place."""
        noted: tuple[str, FileRow] | None = getattr(self._cdme_thread, "noted", None)
        self._cdme_thread.noted = None
        if noted is None:
            return
        schema, row = noted
        try:
            settle_in_place(self._cdme_execute, schema, row)
        except OSError as error:
            logger.warning(
                f"{row.location} could not be written ({error}); the view reads {row.staged}, and the "
                "next run tries again"
            )
