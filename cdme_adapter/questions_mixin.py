"""The part of the adapter that answers: run-operations, and the laws that ``dbt test`` runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.engines.base import Row
from cdme_adapter.errors import CdmeError
from cdme_adapter.lineage.api import Questions
from cdme_adapter.manifest import nodes_of
from cdme_adapter.operations import ask
from cdme_adapter.project import Manifest


class QuestionsMixin(metaclass=AdapterMeta):
    """Mix in before the engine's adapter, beside the capture."""

    connections: Any
    config: Any

    def _cdme_rows(self, sql: str) -> list[Row]:
        cursor = self.connections.get_thread_connection().handle.cursor()
        return list(cursor.execute(sql).fetchall())

    def _cdme_questions(self) -> Questions:
        cursor = self.connections.get_thread_connection().handle.cursor()
        manifest = self.get_macro_resolver()  # type: ignore[attr-defined]
        raw = manifest.writable_manifest().to_dict(omit_none=False)
        target_path = Path(self.config.project_root) / self.config.target_path
        return Questions(
            getattr(cursor, "_cursor", cursor),
            Manifest.from_dict(raw, target_path),
            target_path=target_path,
        )

    @available.parse_none
    def cdme_operation(self, operation: str, arguments: dict[str, Any]) -> None:
        """Answer a run-operation on the terminal; a violation fails it."""
        try:
            if operation == "validate":
                text, fine = self._cdme_validate(arguments)
            else:
                text, fine = ask(self._cdme_questions(), operation, arguments)
        except CdmeError as error:
            raise DbtRuntimeError(str(error)) from error
        print(text)
        if not fine:
            raise DbtRuntimeError(f"cdme_{operation}: not fine, see above")

    def _cdme_validate(self, arguments: dict[str, Any]) -> tuple[str, bool]:
        from cdme_adapter.validation.command import exit_code, render, run_validate

        given = dict(arguments)
        output, fail_on = given.pop("output", "table"), given.pop("fail_on", "error")
        manifest = self.get_macro_resolver()  # type: ignore[attr-defined]
        report = run_validate(
            manifest.writable_manifest().to_dict(omit_none=False),
            self._cdme_rows,
            project_dir=self.config.project_root,
            target_path=Path(self.config.project_root) / self.config.target_path,
            **given,
        )
        text = json.dumps(report.as_json(), indent=2) if output == "json" else render(report)
        return text, exit_code(report, fail_on) == 0

    @available.parse(lambda *args, **kwargs: "select 1 where false")
    def cdme_law_sql(self, law: str, relation: str) -> str:
        """The SELECT that a generic test of a law runs; ``relation`` as dbt renders it."""
        try:
            questions = self._cdme_questions()
            return questions.law_sql(law, self._cdme_model_of(relation))
        except CdmeError as error:
            raise DbtRuntimeError(str(error)) from error

    def _cdme_model_of(self, relation: str) -> str:
        nodes = nodes_of(self.get_macro_resolver())  # type: ignore[attr-defined]
        wanted = relation.replace('"', "").lower()
        for node in nodes.by_id.values():
            if f"{node.database}.{node.schema}.{node.identifier}".lower() == wanted:
                return node.id
        raise DbtRuntimeError(
            f"a law is tested on a whole model, not on {relation}: remove `where` from the test"
        )
