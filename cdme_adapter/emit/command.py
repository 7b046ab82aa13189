"""``cdme emit`` and ``cdme_emit``: send what waits in the outboxes of the attached databases."""

from __future__ import annotations

from typing import Any

from cdme_adapter.emit import outbox
from cdme_adapter.emit.switch import is_configured
from cdme_adapter.engines.base import Execute
from cdme_adapter.errors import QuestionError
from cdme_adapter.store.chain import chained_schemas

Answer = dict[str, Any]


def emit_waiting(
    execute: Execute, seconds: float | None = None, drop: bool = False, again: bool = False
) -> Answer:
    """Send, or with ``drop`` discard, what no collector has; ``seconds`` None waits as long as it takes.

    ``again`` sends what a collector has refused too. Raises QuestionError (NO_TRANSPORT) where nothing
    says where to send it.
    """
    schemas = chained_schemas(execute)
    if drop:
        count = sum(outbox.discard(execute, schema) for schema in schemas)
        return {"sent": 0, "waiting": 0, "refused": 0, "discarded": count, "problem": None}
    if again:
        for schema in schemas:
            outbox.take_back(execute, schema)
    waiting = sum(len(outbox.waiting(execute, schema)) for schema in schemas)
    if not waiting:
        aside = sum(len(outbox.refused(execute, schema)) for schema in schemas)
        return {"sent": 0, "waiting": 0, "refused": aside, "discarded": 0, "problem": None}
    if not is_configured():
        raise QuestionError(
            f"{waiting} events wait, and no OpenLineage transport is configured",
            code="NO_TRANSPORT",
            remedy="set OPENLINEAGE_URL, or write openlineage.yml (docs/openlineage.md)",
        )
    from cdme_adapter.emit.publish import send_waiting

    answer = send_waiting(execute, schemas, seconds).as_json()
    aside = sum(len(outbox.refused(execute, schema)) for schema in schemas)
    return {**answer, "refused": aside, "discarded": 0}


def lines(answer: Answer) -> list[str]:
    """The answer as text."""
    said = [f"{answer['sent']} events sent, {answer['waiting']} wait"]
    if answer["refused"]:
        said = [f"{said[0]}, {answer['refused']} were refused (--refused sends them again)"]
    if answer["discarded"]:
        said = [f"{answer['discarded']} events discarded"]
    return said + ([f"  {answer['problem']}"] if answer["problem"] else [])
