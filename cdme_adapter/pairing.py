"""Which row of a table that was changed in place is which row of before, and which of the delta.

Row ids hold still inside a transaction: DELETE leaves the others', UPDATE keeps its own (or moves the
row to a new one, where an index or a list is involved), what is inserted gets new ones. So a row id
that was there before is the row of before. What is new is paired with the delta by its values, equal
rows by their order: rows equal in every column are told apart by nothing, so any pairing of them is
right. What a MERGE will do is computed before it runs, from its own conditions, and compared with
what it did. Whatever does not come out raises UnsupportedConstruct; nothing is guessed
(docs/decisions/0020-in-place.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cdme_adapter.capture.dml import Change, Delete, Insert, Merge, Update, When, assigned, source_column
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, columns_of, ordinals
from cdme_adapter.errors import UnsupportedConstruct

WAS, NOW, KEPT, PUT = "cdme_was", "cdme_now", "cdme_kept", "cdme_put"
HOOKED = "cdme_hooked"
_MATCH, _LONE, _NEW, _EXPECTED = "cdme_match", "cdme_lone", "cdme_new", "cdme_expected"


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows: put there by this delta, replaced or changed by it, left, deleted."""

    new: int
    updated: int
    carried: int
    deleted: int


@dataclass
class Pairing:
    """One change of ``target`` by a delta that stands in ``source``; both names quoted.

    :meth:`before` runs right before the statements, :meth:`after` right after them. Then
    ``temp.cdme_kept`` has (o, was): rows that hold something of the row that was ``was`` before, and
    ``temp.cdme_put`` has (o, d): rows that hold something of the delta's row ``d``.
    """

    execute: Execute
    target: str
    source: str
    changes: Sequence[Change]
    may_update: bool
    is_volatile: Callable[[str], bool]
    before_count: int = 0
    skipped: str = ""
    """The text of the clause by which delta rows may be discarded, if there is one."""
    _columns: Columns = field(default_factory=list)
    _source_columns: list[str] = field(default_factory=list)

    # -- before ----------------------------------------------------------------------------------

    def before(self) -> None:
        """Remember the rows that are there, and what a MERGE is about to do with them."""
        self._temp(WAS, f"SELECT rowid AS r, {self._ordinal(self.target)} AS o FROM {self.target}")
        self.before_count = self._count(f"temp.{WAS}")
        self._columns = columns_of(self.execute, self.target)
        self._source_columns = [name for name, _ in columns_of(self.execute, self.source)]
        merges = [change for change in self.changes if isinstance(change, Merge)]
        if merges and len(self.changes) > 1:
            raise UnsupportedConstruct("a MERGE among other statements")
        if len([change for change in self.changes if isinstance(change, Insert)]) > 1:
            raise UnsupportedConstruct("several INSERT statements of one delta")
        if merges:
            self._foresee(merges[0])

    def _foresee(self, merge: Merge) -> None:
        """Which pairs match and which clause each will meet, as DuckDB will decide it."""
        texts = [merge.join, *(when.condition or "" for when in merge.clauses)]
        for name in re.findall(r"([A-Za-z_]\w*)\s*\(", " ".join(texts)):
            if name.lower() not in _NO_FUNCTIONS and self.is_volatile(name):
                raise UnsupportedConstruct(f"a MERGE condition calls {name}, which is volatile")
        source, target = quote(merge.source_alias), quote(merge.target_alias)
        self._temp(
            _MATCH,
            f"SELECT {source}.rowid AS s, {target}.rowid AS t, {_case(merge, 'matched')} AS c"
            f" FROM {self.source} AS {source} JOIN {self.target} AS {target} {merge.join}",
        )
        self._temp(
            _LONE,
            f"SELECT {source}.rowid AS s, NULL::BIGINT AS t, {_case(merge, 'target')} AS c"
            f" FROM {self.source} AS {source} WHERE rowid NOT IN (SELECT s FROM temp.{_MATCH})"
            f" UNION ALL SELECT NULL, {target}.rowid, {_case(merge, 'source')}"
            f" FROM {self.target} AS {target} WHERE rowid NOT IN (SELECT t FROM temp.{_MATCH})",
        )

    # -- after -----------------------------------------------------------------------------------

    def after(self) -> RowCounts:
        """Pair the rows that are there now."""
        self._temp(NOW, f"SELECT rowid AS r, {self._ordinal(self.target)} AS o FROM {self.target}")
        self._temp(_NEW, f"SELECT o FROM temp.{NOW} ANTI JOIN temp.{WAS} USING (r)")
        merge = next((change for change in self.changes if isinstance(change, Merge)), None)
        counts = self._after_merge(merge) if merge else self._after_plain()
        for name in (WAS, NOW, _NEW, _MATCH, _LONE, _EXPECTED):
            self.execute(f"DROP TABLE IF EXISTS temp.{name}")
        return counts

    def _after_plain(self) -> RowCounts:
        """INSERT, DELETE and, for a snapshot, UPDATE of columns that do not concern the lineage."""
        kinds = {type(change) for change in self.changes}
        if Update in kinds and not self.may_update:
            raise UnsupportedConstruct("an UPDATE whose effect on the rows is not known")
        self._keep("")
        kept = self._count(f"temp.{KEPT}")
        if kept != self.before_count and Delete not in kinds:
            raise UnsupportedConstruct("the UPDATE moved rows of the table")
        insert = next((change for change in self.changes if isinstance(change, Insert)), None)
        if insert is None:
            self._temp(PUT, "SELECT NULL::BIGINT AS o, NULL::BIGINT AS d WHERE FALSE")
        else:
            self.skipped = insert.where or ""
            self._expect([(f"SELECT rowid AS s FROM {self.source}", _itself(insert.columns))])
            self._pair([name.lower() for name in insert.columns])
            if not insert.where and self._count(f"temp.{PUT}") != self._count(self.source):
                raise UnsupportedConstruct("rows of the delta are not in the table")
        new = self._count(f"temp.{_NEW}")
        if new != self._count(f"temp.{PUT}"):
            raise UnsupportedConstruct("new rows of the table are not rows of the delta")
        return RowCounts(new, 0, kept, self.before_count - kept)

    def _after_merge(self, merge: Merge) -> RowCounts:
        columns = [name for name, _ in self._columns]
        plans = {
            n: assigned(when, merge, columns, self._source_columns)
            for n, when in enumerate(merge.clauses)
            if when.action in ("update", "insert")
        }
        full = [n for n, when in enumerate(merge.clauses) if self._replaces(when, merge)]
        done = {
            action: [n for n, w in enumerate(merge.clauses) if w.action == action and w.match != "source"]
            for action in ("update", "insert", "delete")
        }
        dropped = [n for n, w in enumerate(merge.clauses) if w.action == "delete"]
        self._check_fate(done["update"], dropped, full)
        in_place = f"SELECT m.* FROM temp.{_MATCH} AS m SEMI JOIN temp.{NOW} AS n ON n.r = m.t"
        self._verify(merge, in_place, plans, full)
        moved = f"SELECT s FROM temp.{_MATCH} ANTI JOIN temp.{NOW} AS n ON n.r = t WHERE c = "
        expected = [(moved + str(n), plans[n]) for n in full]
        expected += [(f"SELECT s FROM temp.{_LONE} WHERE c = {n}", plans[n]) for n in done["insert"]]
        expected = [part for part in expected if self._count(f"({part[0]})")]
        if len({frozenset(part[1]) for part in expected}) > 1:
            raise UnsupportedConstruct("a MERGE whose clauses write different columns")
        self._expect(expected, quote(merge.source_alias))
        self._pair(sorted(expected[0][1]) if expected else [])
        paired = self._count(f"temp.{PUT}")
        if not paired == self._count(f"temp.{_NEW}") == self._count(f"temp.{_EXPECTED}"):
            raise UnsupportedConstruct("the MERGE did not write the rows that its clauses say")
        self._keep(f" ANTI JOIN (SELECT t FROM temp.{_MATCH} WHERE c IN ({_list(full)})) AS m ON m.t = w.r")
        self.execute(
            f"INSERT INTO temp.{PUT} SELECT n.o, {self._delta('m.s')} FROM temp.{_MATCH} AS m"
            f" JOIN temp.{NOW} AS n ON n.r = m.t WHERE m.c IN ({_list(done['update'])})"
        )
        self.skipped = " ".join(when.text for when in merge.clauses) or "MERGE"
        return self._merge_counts(done["update"], paired)

    def _merge_counts(self, updates: list[int], paired: int) -> RowCounts:
        updated = self._count(f"(SELECT DISTINCT t FROM temp.{_MATCH} WHERE c IN ({_list(updates)}))")
        here = self._count(f"(SELECT r FROM temp.{WAS} SEMI JOIN temp.{NOW} USING (r))")
        moved = self._count(
            f"(SELECT t FROM temp.{_MATCH} ANTI JOIN temp.{NOW} AS n ON n.r = t"
            f" WHERE c IN ({_list(updates)}))"
        )
        return RowCounts(
            paired - moved, updated, here - (updated - moved), self.before_count - here - moved
        )

    def _replaces(self, when: When, merge: Merge) -> bool:
        """Whether a clause writes every column of a matched row from the source alone."""
        if when.action != "update" or when.match != "matched":
            return False
        if when.values:
            return all(source_column(when, name, merge) for name, _ in self._columns)
        there = {name.lower() for name in self._source_columns}
        by_position = when.mode == "by position"
        return by_position or all(name.lower() in there for name, _ in self._columns)

    def _check_fate(self, updates: list[int], deletes: list[int], full: list[int]) -> None:
        """What went is what was to go, and nobody was updated twice."""
        twice = self._count(
            f"(SELECT t FROM temp.{_MATCH} WHERE c IN ({_list(updates)}) GROUP BY t HAVING count(*) > 1)"
        )
        every = f"(SELECT t, c FROM temp.{_MATCH} UNION ALL SELECT t, c FROM temp.{_LONE})"
        gone = f"SELECT r AS t FROM temp.{WAS} ANTI JOIN temp.{NOW} USING (r)"
        there = f"SELECT r AS t FROM temp.{WAS} SEMI JOIN temp.{NOW} USING (r)"
        allowed = f"SELECT t FROM {every} WHERE c IN ({_list([*deletes, *full])})"
        strange = self._count(f"(({gone}) EXCEPT ({allowed}))")
        left = self._count(f"(({there}) INTERSECT (SELECT t FROM {every} WHERE c IN ({_list(deletes)})))")
        if twice or strange or left:
            raise UnsupportedConstruct("the MERGE did to the rows what its clauses do not say")

    def _verify(self, merge: Merge, pairs: str, plans: dict[int, dict[str, str]], full: list[int]) -> None:
        """Rows that were replaced where they stood hold the values of their delta row."""
        source = quote(merge.source_alias)
        for n in full:
            names = sorted(plans[n])
            there = f"SELECT rowid AS r, {self._hash([quote(name) for name in names])} FROM {self.target}"
            here = (
                f"SELECT m.t AS r, {self._hash([self._cast(plans[n][name], name) for name in names])}"
                f" FROM {self.source} AS {source} JOIN ({pairs} WHERE m.c = {n}) AS m"
                f" ON m.s = {source}.rowid"
            )
            wrong = self._count(
                f"(SELECT 1 FROM ({here}) AS h(r, a, b) JOIN ({there}) AS t(r, a, b) USING (r)"
                " WHERE h.a <> t.a OR h.b <> t.b)"
            )
            if wrong:
                raise UnsupportedConstruct("rows that the MERGE updated do not hold the delta's values")

    # -- pieces ----------------------------------------------------------------------------------

    def _temp(self, name: str, select: str) -> None:
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")

    def _count(self, rows: str) -> int:
        return int(self.execute(f"SELECT count(*) FROM {rows}")[0][0])

    def _ordinal(self, relation: str) -> str:
        return ordinals(self.execute, relation).column()

    def _delta(self, row_id: str) -> str:
        """The ordinal of a delta row from its row id."""
        return f"{row_id} - (SELECT min(rowid) FROM {self.source})"

    def _keep(self, without: str) -> None:
        self._temp(
            KEPT,
            f"SELECT n.o, w.o AS was FROM temp.{WAS} AS w JOIN temp.{NOW} AS n ON n.r = w.r{without}",
        )

    def _type(self, name: str) -> str:
        return next(kind for column, kind in self._columns if column.lower() == name.lower())

    def _cast(self, expression: str, name: str) -> str:
        return f"CAST(({expression}) AS {self._type(name)})"

    @staticmethod
    def _hash(values: list[str]) -> str:
        """Two hashes of some values: 128 bits together."""
        joined = ", ".join(values)
        return f"hash({joined}) AS a, hash('cdme', {joined}) AS b"

    def _expect(self, parts: list[tuple[str, dict[str, str]]], alias: str = "cdme_source") -> None:
        """The rows that are to be new: (d, a, b), from parts (SELECT of s, column → expression)."""
        selects = [
            f"SELECT {self._delta(alias + '.rowid')} AS d,"
            f" {self._hash([self._cast(plan[name], name) for name in sorted(plan)])}"
            f" FROM {self.source} AS {alias} JOIN ({rows}) AS m ON m.s = {alias}.rowid"
            for rows, plan in parts
        ]
        nothing = "SELECT NULL::BIGINT AS d, NULL::UBIGINT AS a, NULL::UBIGINT AS b WHERE FALSE"
        self._temp(_EXPECTED, " UNION ALL ".join(selects) or nothing)

    def _pair(self, names: list[str]) -> None:
        """Pair new rows with expected ones by value, equal ones in order, as (o, d)."""
        hashes = self._hash([quote(name) for name in sorted(names)]) if names else "0 AS a, 0 AS b"
        new = (
            f"SELECT n.o, t.a, t.b FROM (SELECT rowid AS r, {hashes} FROM {self.target}) AS t"
            f" JOIN temp.{NOW} AS n ON n.r = t.r SEMI JOIN temp.{_NEW} AS x ON x.o = n.o"
        )
        nth = "row_number() OVER (PARTITION BY a, b ORDER BY {0}) AS n"
        self._temp(
            PUT,
            f"SELECT p.o, e.d FROM (SELECT *, {nth.format('o')} FROM ({new})) AS p"
            f" JOIN (SELECT *, {nth.format('d')} FROM temp.{_EXPECTED}) AS e"
            " ON p.a = e.a AND p.b = e.b AND p.n = e.n",
        )


_NO_FUNCTIONS = frozenset({"and", "or", "not", "in", "on", "using", "when", "then", "case", "else"})


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "NULL"


def _itself(columns: Sequence[str]) -> dict[str, str]:
    return {name.lower(): f"cdme_source.{quote(name)}" for name in columns}


def _case(merge: Merge, match: str) -> str:
    """The number of the first clause of a kind that a row meets, NULL for none."""
    arms = [
        f"WHEN {f'({when.condition})' if when.condition else 'TRUE'} THEN {n}"
        for n, when in enumerate(merge.clauses)
        if when.match == match
    ]
    return f"CASE {' '.join(arms)} END" if arms else "NULL::INTEGER"
