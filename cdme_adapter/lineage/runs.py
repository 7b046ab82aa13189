"""Which run is meant: the last one, or the one whose id begins so."""

from __future__ import annotations

import difflib

from cdme_adapter.errors import QuestionError
from cdme_adapter.store.reader import Store


def named_run(store: Store, run: str | None = None) -> str:
    """The id of a run from its beginning, of the last one by default.

    Raises QuestionError (NO_RUN) for what names none or several.
    """
    rows = store.rows(f"SELECT run_id FROM {store.table('store_runs')} ORDER BY started_at DESC")
    known = list(dict.fromkeys(str(row[0]) for row in rows))
    if not known:
        raise QuestionError("no run is in the store", code="NO_RUN", remedy="run `dbt build`")
    if run is None or run in known:
        return run or known[0]
    fitting = [name for name in known if run and name.startswith(run)]
    if len(fitting) == 1:
        return fitting[0]
    near = difflib.get_close_matches(run, known, n=1)
    raise QuestionError(
        f"{run!r} begins the ids of several runs" if fitting else f"there is no run {run!r} in the store",
        code="NO_RUN",
        remedy=f"did you mean {near[0]}?" if near else '`cdme sql "FROM cdme.runs"` lists them',
    )
