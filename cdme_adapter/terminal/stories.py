"""The fate of a record in plain words."""

from __future__ import annotations

from typing import Any

from cdme_adapter.terminal.tables import cell, plural, short

_SAID = {
    "where": "filtered by",
    "having": "its group was filtered by",
    "qualify": "filtered by",
    "distinct_on": "another record of its group was kept by",
    "limit": "beyond the limit of",
    "except": "removed by",
    "intersect": "not in both sides of",
    "semi_join": "not found by",
    "anti_join": "found, and so removed, by",
    "sample": "not in the sample of",
    "unnest": "nothing to unnest in",
    "merge_skipped": "discarded by the merge of",
}


def story(record: dict[str, Any], answer: dict[str, Any]) -> str:
    """What became of one record of ``explain``, as a sentence.

    >>> reason = {"kind": "where", "sql": "arr_delay > 0", "verdict": "null",
    ...           "values": {"arr_delay": None}, "file": None, "line": None}
    >>> story({"class": "filtered", "first_lost_at": "model.p.m", "reason": reason},
    ...       {"model": "model.p.m"})
    'not in m: lost there, filtered by `arr_delay > 0`: arr_delay is NULL'
    """
    name, model = record["class"], short(answer["model"])
    if name == "contributed":
        return _arrived(record, model)
    if name == "consulted":
        return f"consulted by {model}: it decides about records, but none is made of it"
    if name == "unknown":
        return f"not known: an edge on the way to {model} is opaque, or leads from rows of earlier runs"
    lost = short(record["first_lost_at"] or "")
    where = "lost there" if lost == model else f"lost in {lost}"
    place = _place(record["reason"])
    if name == "unaccounted":
        return f"not in {model}: {where}, and no clause is shown to have removed it: a defect"
    return f"not in {model}: {where}{place}, {_why(record['reason'], name)}"


def _place(reason: dict[str, Any] | None) -> str:
    if not reason or not reason["file"]:
        return ""
    line = f":{reason['line']}" if reason["line"] else ""
    return f" ({reason['file']}{line})"


def _why(reason: dict[str, Any], name: str) -> str:
    values = _values(reason["values"])
    if name == "error":
        which = f", refused by {reason['failure_type']}" if reason.get("failure_type") else ""
        return f"in the error domain{which}" + (f": {values}" if values else "")
    clause = f"`{reason['sql']}`"
    if reason["kind"] == "join_no_match":
        if reason["verdict"] == "no_match":
            return f"{clause}: no partner" + (f" for {values}" if values else "")
        judged = "is NULL" if reason["verdict"] == "null" else "does not hold"
        return f"{clause}: the condition {judged}" + (f" for {values}" if values else "")
    said = f"{_SAID.get(reason['kind'], 'removed by')} {clause}"
    return said + (f": {values}" if values else "")


def _values(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} is NULL" if value is None else f"{name} = {cell(value)}" for name, value in values.items()
    )


def _keys(cause: dict[str, Any]) -> str:
    named = "; ".join(cell(record["key"]) for record in cause["records"])
    return named + ("; …" if len(cause["records"]) < cause["count"] else "")


def _met(cause: dict[str, Any]) -> str:
    return plural(cause["count"], "other record" if cause["itself"] else "record")


def _arrived(record: dict[str, Any], model: str) -> str:
    outputs = record["outputs"] or {}
    count = outputs.get("count") or 0
    said = f"in {plural(count, 'record')} of {model}" if count else f"in rows of {model} of earlier runs"
    causes = [_cause(cause, model) for cause in outputs.get("fan_out") or []]
    return said + (f", because {' and '.join(causes)}" if causes else "")


def _cause(cause: dict[str, Any], target: str) -> str:
    """Who made several records of one; where a model groups, no more than with whom it stands there."""
    relation, model = short(cause["relation"]), short(cause["model"])
    if relation == model:
        return f"{model} makes {plural(cause['count'], 'record')} of one ({_keys(cause)})"
    if cause["grouped"]:
        return f"{model} groups it with {plural(cause['count'], 'record')} of {relation} ({_keys(cause)})"
    where = "" if model == target else f" in {model}"
    return f"{relation} has {_met(cause)} for it ({_keys(cause)}){where}"
