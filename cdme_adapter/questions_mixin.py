"""The part of the adapter that answers: run-operations, and the laws that ``dbt test`` runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.dbt_session import invocation_id, manifest_dict, whole_manifest
from cdme_adapter.engines.base import Row
from cdme_adapter.errors import CdmeError
from cdme_adapter.lineage.api import Questions
from cdme_adapter.operations import ask, say
from cdme_adapter.project import Manifest

_FILTERED = re.compile(
    r"\(\s*select \* from (?P<relation>.+?)\s+where\s+(?P<where>.+)\)\s*dbt_subquery\s*$", re.I | re.S
)
"""What dbt makes of a model whose test has a ``where``."""


class QuestionsMixin(metaclass=AdapterMeta):
    """Mix in before the engine's adapter, beside the capture."""

    connections: Any
    config: Any
    _cdme_raw: tuple[str, dict[str, Any]] | None = None

    def _cdme_rows(self, sql: str) -> list[Row]:
        cursor = self.connections.get_thread_connection().handle.cursor()
        return list(cursor.execute(sql).fetchall())

    def _cdme_questions(self) -> Questions:
        cursor = self.connections.get_thread_connection().handle.cursor()
        target_path = self._cdme_target_path
        return Questions(
            getattr(cursor, "_cursor", cursor),
            Manifest.from_dict(self._cdme_raw_manifest(), target_path),
            target_path=target_path,
        )

    @property
    def _cdme_target_path(self) -> Path:
        return Path(str(self.config.project_root), str(self.config.target_path))

    def _cdme_raw_manifest(self) -> dict[str, Any]:
        """The manifest as manifest.json has it, made once an invocation: every law asks for it."""
        if self._cdme_raw is None or self._cdme_raw[0] != invocation_id():
            resolver = self.get_macro_resolver()  # type: ignore[attr-defined]
            manifest = whole_manifest(resolver, self._cdme_target_path)
            self._cdme_raw = (invocation_id(), manifest_dict(manifest))
        return self._cdme_raw[1]

    @available.parse_none
    def cdme_operation(self, operation: str, arguments: dict[str, Any]) -> None:
        """Answer a run-operation on the terminal; a violation fails it."""
        try:
            if operation == "validate":
                text, fine = self._cdme_validate(arguments)  # type: ignore[attr-defined]
            elif operation == "emit":
                text, fine = self._cdme_emit(**arguments)
            else:
                text, fine = ask(self._cdme_questions(), operation, arguments)
        except CdmeError as error:
            raise DbtRuntimeError(str(error)) from error
        say(text)
        if not fine:
            raise DbtRuntimeError(f"cdme_{operation}: not fine, see above")

    def _cdme_emit(
        self, timeout: float | None = None, discard: bool = False, refused: bool = False,
        output: str = "table",
    ) -> tuple[str, bool]:  # fmt: skip
        from cdme_adapter.emit.command import emit_waiting, lines

        answer = emit_waiting(self._cdme_rows, timeout, discard, refused)
        text = json.dumps(answer, indent=2) if output == "json" else "\n".join(lines(answer))
        return text, not (answer["waiting"] or answer["refused"])

    @available.parse(lambda *args, **kwargs: "select 1 where false")
    def cdme_law_sql(self, law: str, relation: str) -> str:
        """The SELECT that a generic test of a law runs; ``relation`` as dbt renders it."""
        filtered = _FILTERED.match(relation.strip()) if law == "no_errors" else None
        where = filtered.group("where") if filtered else None
        try:
            questions = self._cdme_questions()
            model = self._cdme_model_of(filtered.group("relation") if filtered else relation)
            return questions.law_sql(law, model, where)
        except CdmeError as error:
            raise DbtRuntimeError(str(error)) from error

    def _cdme_model_of(self, relation: str) -> str:
        wanted = relation.replace('"', "").lower()
        for ident, node in self._cdme_raw_manifest()["nodes"].items():
            name = node.get("alias") or node.get("name")
            if f"{node.get('database')}.{node.get('schema')}.{name}".lower() == wanted:
                return str(ident)
        raise DbtRuntimeError(
            f"a law is tested on a whole model, not on {relation}: remove `where` from the test"
        )
