"""Runs a model's query and parts its rows: the good ones for the table, the bad ones aside.

The result is materialised in ``temp.cdme_emitted`` with one number a row, a bit for each refinement
that failed. What the model's own statement then reads is :attr:`Emission.good`; the rejected rows, with
the hidden columns that lead to their sources, stay in ``temp.cdme_rejects`` until the account is
written. Nothing of them ever stands in the user's table. A query that scans stored tables row by row is
is not copied but repeated (``repeatable.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, quote
from cdme_adapter.refine.checks import Check
from cdme_adapter.refine.repeatable import is_repeatable

EMITTED = "cdme_emitted"
REJECTS = "cdme_rejects"
BY_SET = "cdme_by_set"
BAD = "__cdme_bad"
ORDINAL = "__cdme_o"


@dataclass
class Emission:
    """One model's rows, parted. ``columns`` are the user's; ``hidden`` those of the capture;
    ``extra`` helper columns of the rewritten query that are not the user's either."""

    checks: Sequence[Check]
    columns: Columns
    hidden: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    emitted: int = 0
    rejected: int = 0
    masks: dict[int, int] = field(default_factory=dict)
    """How many records failed each combination of checks."""
    technical: tuple[str, ...] = ()
    """Columns that are left out of what is kept of a record: dbt's own in a snapshot."""
    follows: str = "FALSE"
    """Rows that share the fate of another with the same ``partner`` and are no records of their own: of a
    snapshot, the end of a version that a new one replaces."""
    unjudged: str = "FALSE"
    """Rows of which no check speaks: of a snapshot, the end of a version whose record is gone."""
    partner: tuple[str, ...] = ()
    may_repeat: bool = False
    """Whether a query that gives the same rows each time may be evaluated for the good rows and for the
    bad ones apart, instead of being copied; not where what it reads is about to be changed."""
    defers_count: bool = False
    """Whether the owner says how many rows were good (:meth:`note_good`), once they are in the table."""
    rows: int = 0
    """All rows that came; ``emitted`` are those that were judged."""
    volatile: frozenset[str] | None = None
    """The functions that may vary, where they are known already."""
    _by_set: bool = False
    _repeated: str = ""
    """The query with its bits, where it is repeated."""

    def run(self, execute: Execute, select: str, sample: int | None = None) -> None:
        """Evaluate ``select`` (the user's columns, then the hidden ones) once; ``sample`` limits it."""
        limit = f" LIMIT {sample}" if sample is not None else ""
        rows = f"(SELECT * FROM ({select}) AS __cdme_r{limit}) AS __cdme_q"
        judged = f"SELECT *, {self._mask()} AS {BAD} FROM {rows}"
        row_by_row = all(check.fails for check in self.checks) and sample is None
        self._repeated = ""
        if self.may_repeat and row_by_row and is_repeatable(execute, judged, self.volatile):
            self._repeated = judged
            return self._part(execute, select)
        execute(f"CREATE OR REPLACE TEMP TABLE {EMITTED} AS {judged}")
        self.judge(execute)

    def _part(self, execute: Execute, select: str) -> None:
        """Put the bad rows aside without a copy of the good ones."""
        execute(
            f"CREATE OR REPLACE TEMP TABLE {REJECTS} AS SELECT row_number() OVER () - 1 AS {ORDINAL}, *"
            f" FROM ({self._repeated}) WHERE {BAD} <> 0"
        )
        self._count(execute)
        if not self.defers_count:
            self.emitted = int(execute(f"SELECT count(*) FROM ({select})")[0][0])

    def note_good(self, count: int) -> None:
        """How many good rows there were, from whoever has counted them already."""
        self.emitted = count + self.rejected

    def judge(self, execute: Execute) -> None:
        """Judge the rows of ``temp.cdme_emitted`` by set, count them and put the bad ones aside."""
        self._sets(execute)
        bad = self._bad
        counts = f"SELECT count(*), count(*) FILTER ({self._alone}) FROM temp.{EMITTED}"
        self.rows, self.emitted = map(int, execute(counts)[0])
        execute(
            f"CREATE OR REPLACE TEMP TABLE {REJECTS} AS SELECT"
            f" row_number() OVER (ORDER BY __cdme_r) - 1 AS {ORDINAL}, * EXCLUDE (__cdme_r) FROM"
            f" (SELECT e.rowid AS __cdme_r, e.* REPLACE ({bad} AS {BAD}) FROM {self._joined}"
            f" WHERE {bad} <> 0 AND ({self.follows}) IS NOT TRUE)"
        )
        self._count(execute)

    def _count(self, execute: Execute) -> None:
        self.masks = {
            int(mask): int(count)
            for mask, count in execute(f"SELECT {BAD}, count(*) FROM temp.{REJECTS} GROUP BY 1 ORDER BY 1")
        }
        self.rejected = sum(self.masks.values())

    @property
    def good(self) -> str:
        """What stands for the query in the model's own statement: the good rows, as they came."""
        drop = ", ".join((BAD, *map(quote, self.extra)))
        if self._repeated:
            where = f" WHERE {BAD} = 0" if self.rejected else ""
            return f"SELECT * EXCLUDE ({drop}) FROM ({self._repeated}){where}"
        rows = f"SELECT e.* EXCLUDE ({drop}) FROM {self._joined}"
        if not self.rejected:
            return f"SELECT * EXCLUDE ({drop}) FROM temp.{EMITTED}"
        order = " ORDER BY e.rowid" if self._by_set else ""
        return f"{rows} WHERE {self._bad} = 0{order}"

    @property
    def rejects(self) -> str:
        """The rejected rows as a FROM item of (o, hidden columns)."""
        return f"(SELECT {', '.join((f'{ORDINAL} AS o', *self.hidden))} FROM temp.{REJECTS})"

    def counts(self) -> dict[str, int]:
        """How many records failed each check."""
        return {
            check.name: total
            for bit, check in enumerate(self.checks)
            if (total := sum(n for mask, n in self.masks.items() if mask >> bit & 1))
        }

    def failed(self, mask: int) -> list[Check]:
        """The checks of a combination, in the order they are declared."""
        return [check for bit, check in enumerate(self.checks) if mask >> bit & 1]

    def clean(self, execute: Execute) -> None:
        """Drop the temporary tables."""
        for name in (EMITTED, REJECTS, BY_SET, "cdme_input_rejects"):
            execute(f"DROP TABLE IF EXISTS temp.{name}")

    # -- pieces of SQL ---------------------------------------------------------------------------

    def _mask(self) -> str:
        arms = [
            f"CASE WHEN {check.fails} THEN {1 << bit} ELSE 0 END"
            for bit, check in enumerate(self.checks)
            if check.fails
        ]
        mask = f"CAST({' + '.join(arms) or '0'} AS BIGINT)"
        return mask if self.unjudged == "FALSE" else f"CASE WHEN {self.unjudged} THEN 0 ELSE {mask} END"

    @property
    def _alone(self) -> str:
        """The rows that are judged for themselves."""
        return f"({self.follows}) IS NOT TRUE AND ({self.unjudged}) IS NOT TRUE"

    @property
    def _joined(self) -> str:
        if not self._by_set:
            return f"temp.{EMITTED} AS e"
        return f"temp.{EMITTED} AS e LEFT JOIN temp.{BY_SET} AS s ON s.r = e.rowid"

    @property
    def _bad(self) -> str:
        return f"(e.{BAD} | coalesce(s.mask, 0))" if self._by_set else f"e.{BAD}"

    def _sets(self, execute: Execute) -> None:
        """The checks by set: duplicates among all emitted rows; then, of the rows that are still
        good, those after the first."""
        self._by_set = False
        sets = [(bit, check) for bit, check in enumerate(self.checks) if not check.fails]
        if not sets:
            return
        execute(f"CREATE OR REPLACE TEMP TABLE {BY_SET} (r BIGINT, mask BIGINT)")
        self._by_set = True
        found = [(bit, self._duplicates(check)) for bit, check in sets if not check.order_by]
        self._add(execute, found)
        for bit, check in sets:
            if check.order_by:
                self._add(execute, [(bit, self._after_first(check))])
        if self.follows != "FALSE" and self.partner:
            self._add(execute, [(sets[0][0], self._left_alone())])

    def _add(self, execute: Execute, found: list[tuple[int, str]]) -> None:
        if not found:
            return
        parts = [f"SELECT r, {1 << bit} AS mask FROM ({rows})" for bit, rows in found]
        more = f"SELECT r, mask FROM temp.{BY_SET} UNION ALL {' UNION ALL '.join(parts)}"
        execute(
            f"CREATE OR REPLACE TEMP TABLE {BY_SET} AS SELECT r, bit_or(mask) AS mask FROM ({more})"
            " GROUP BY r"
        )

    def _left_alone(self) -> str:
        """The rows that share the fate of another where no such one is good."""
        names = ", ".join(map(quote, self.partner))
        same = " AND ".join(f"g.{quote(n)} IS NOT DISTINCT FROM u.{quote(n)}" for n in self.partner)
        good = f"SELECT {names} FROM {self._joined} WHERE {self._alone} AND {self._bad} = 0"
        rows = f"SELECT rowid AS r, {names} FROM temp.{EMITTED} WHERE {self.follows}"
        return f"SELECT u.r FROM ({rows}) AS u ANTI JOIN ({good}) AS g ON {same}"

    def _keyed(self, check: Check, source: str) -> str:
        """(__cdme_r, __cdme_k0, …) of the rows that a unique check speaks of: those without a NULL, where
        NULLs do not repeat."""
        keys = ", ".join(f"({expression}) AS __cdme_k{n}" for n, expression in enumerate(check.unique))
        known = [] if check.nulls else check.unique
        here = " AND ".join(f"({expression}) IS NOT NULL" for expression in known) or "TRUE"
        where = f"({check.where}\n) IS TRUE AND " if check.where else ""
        alone = f"{self._alone} AND " if self.partner else ""
        return f"SELECT rowid AS __cdme_r, {keys}{{more}} FROM {source} WHERE {alone}{where}{here}"

    def _duplicates(self, check: Check) -> str:
        names = ", ".join(f"__cdme_k{n}" for n in range(len(check.unique)))
        rows = self._keyed(check, f"temp.{EMITTED}").replace("{more}", "")
        twice = f"SELECT {names} FROM ({rows}) GROUP BY {names} HAVING count(*) > 1"
        same = " AND ".join(
            f"t.__cdme_k{n} IS NOT DISTINCT FROM d.__cdme_k{n}" for n in range(len(check.unique))
        )
        on = f"ON {same}" if check.nulls else f"USING ({names})"
        return f"SELECT t.__cdme_r AS r FROM ({rows}) AS t SEMI JOIN ({twice}) AS d {on}"

    def _after_first(self, check: Check) -> str:
        bad = f"SELECT rowid FROM temp.{EMITTED} WHERE {BAD} <> 0 UNION ALL SELECT r FROM temp.{BY_SET}"
        keys = ", ".join(f"({expression})" for expression in check.unique)
        place = f", row_number() OVER (PARTITION BY {keys} ORDER BY {check.order_by}, rowid) AS __cdme_n"
        rows = self._keyed(check, f"temp.{EMITTED}").replace("{more}", place)
        return f"SELECT __cdme_r AS r FROM ({rows} AND rowid NOT IN ({bad})) WHERE __cdme_n > 1"
