"""The part of the adapter that tells OpenLineage what runs did (docs/openlineage.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.base.meta import AdapterMeta
from dbt.adapters.events.logging import AdapterLogger

from cdme_adapter.dbt_session import command_name, invocation_id, whole_manifest
from cdme_adapter.emission import Early, Teller, ledger_of_outcomes
from cdme_adapter.emit.switch import is_configured
from cdme_adapter.nodes import Outcome
from cdme_adapter.store.recovery import finish_earlier

logger = AdapterLogger("CDME")


class TellingMixin(metaclass=AdapterMeta):
    """Beneath the capture; the connection that it writes on is the capture's own."""

    config: Any
    connections: Any
    _cdme_side_execute: Any
    _cdme_close_side: Any

    _cdme_told = ""
    _cdme_early: Early | None = None

    def _cdme_tell_outcomes(self, outcomes: dict[str, Outcome], failure: BaseException | None) -> None:
        """The end of a command without a ledger, ``dbt test``: it finishes what was killed, and is told."""
        if type(failure).__name__ == "ResultExit":  # dbt's word for nodes that failed: outcomes say it
            failure = None
        if self._cdme_told == invocation_id() or not (outcomes or failure):
            return
        try:
            self.connections.env()
        except Exception:  # dbt failed before it opened the database: there is no outbox
            return
        self._cdme_told = invocation_id()
        try:
            earlier = self._cdme_finish_earlier()
            ledger = ledger_of_outcomes(invocation_id(), command_name(), outcomes, failure)
            self._cdme_tell((), [*earlier, ledger])
        finally:
            self._cdme_close_side()

    def _cdme_finish_earlier(self) -> list[dict[str, Any]]:
        """The ledgers of runs that were killed, which this command, no run itself, finishes."""
        target_path = Path(self.config.project_root) / self.config.target_path
        try:
            found = finish_earlier(self._cdme_side_execute, target_path, is_configured())
        except Exception as error:
            logger.warning(
                f"[RECOVERY_FAILED] the ledger of a run that was killed is not finished: {error}"
            )
            return []
        for ledger in found:
            logger.info(f"run {ledger['run_id']} was interrupted: its ledger is finished")
        return found

    def _cdme_tell(self, written: tuple[str, ...], ledgers: list[dict[str, Any]]) -> None:
        """Tell OpenLineage what runs did; ``written`` are the databases that hold their ledgers.

        The outbox is the target's own database wherever that is written. Where no transport is
        configured there is nobody to tell.
        """
        if not is_configured():
            return
        database = self._cdme_outbox(written)
        target_path = Path(self.config.project_root) / self.config.target_path
        manifest = whole_manifest(self.get_macro_resolver(), target_path)  # type: ignore[attr-defined]
        Teller(self._cdme_side_execute, database, manifest, str(self.config.project_root),
               self._cdme_vars(), logger.warning, self._cdme_early, invocation_id()
               ).tell(ledgers)  # fmt: skip
        self._cdme_early = None

    def _cdme_outbox(self, written: tuple[str, ...]) -> str:
        own = str(self.config.credentials.database)
        return own if own in written or not written else min(written)

    def _cdme_vars(self) -> Any:
        return {**self.config.vars.to_dict(), **(self.config.cli_vars or {})}.get("cdme")
