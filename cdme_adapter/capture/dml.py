"""Reads the statements that put a delta into a table: INSERT, DELETE, UPDATE and MERGE of one source.

Only what dbt's and dbt-duckdb's strategies write is read, clause by clause, from the tokens of the
text; what has another shape raises UnsupportedConstruct and is not guessed. Expressions are kept as
they were written, so that they can be evaluated as DuckDB will evaluate them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from cdme_adapter.capture.sqltext import quote
from cdme_adapter.errors import UnsupportedConstruct

BY_NAME, BY_POSITION, EXPLICIT = "by name", "by position", "explicit"


@dataclass(frozen=True)
class Insert:
    """``INSERT INTO target (columns) SELECT columns FROM source [WHERE where]``, in that order."""

    columns: tuple[str, ...]
    where: str | None


@dataclass(frozen=True)
class Delete:
    """``DELETE FROM target …``, whatever it deletes."""


@dataclass(frozen=True)
class Update:
    """``UPDATE target …``, whatever it updates."""


@dataclass(frozen=True)
class When:
    """One WHEN clause of a MERGE.

    ``match``: ``matched``, ``target`` (not matched by target) or ``source`` (not matched by source).
    ``action``: ``update``, ``delete``, ``insert``, ``nothing`` or ``error``. ``mode`` and ``values``
    (column, expression) say what an update sets or an insert writes.
    """

    match: str
    action: str
    condition: str | None
    text: str
    mode: str = EXPLICIT
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Merge:
    """``MERGE INTO target AS alias USING source AS alias join clauses``; ``join`` is ON … or USING …."""

    target_alias: str
    source_alias: str
    join: str
    clauses: tuple[When, ...]


Change = Insert | Delete | Update | Merge


def read_changes(sql: str, target: Sequence[str], source: str) -> list[Change]:
    """The statements of ``sql``, all of which write ``target`` (its name's parts) from ``source``.

    Raises UnsupportedConstruct for everything else.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
    except SqlglotError as error:
        raise UnsupportedConstruct("the statement that writes the table could not be read") from error
    changes, part = [], list[Token]()
    for token in tokens:
        if token.text == ";" and token.token_type.name == "SEMICOLON":
            changes.append(part)
            part = []
        else:
            part.append(token)
    changes.append(part)
    return [_Reader(sql, tokens, target, source).change() for tokens in changes if tokens]


class _Reader:
    """A cursor over the tokens of one statement."""

    def __init__(self, sql: str, tokens: list[Token], target: Sequence[str], source: str) -> None:
        self.sql, self.tokens, self.at = sql, tokens, 0
        self.target = [part.lower() for part in target]
        self.source = source.lower()

    # -- tokens ----------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place].text.lower() if place < len(self.tokens) else ""

    def _is(self, *words: str) -> bool:
        """Whether the next tokens are these words or signs, unquoted."""
        for ahead, word in enumerate(words):
            place = self.at + ahead
            if place >= len(self.tokens) or self.tokens[place].text.lower() != word:
                return False
            if self.tokens[place].token_type.name in ("IDENTIFIER", "STRING"):
                return False
        return True

    def _take(self, *words: str) -> bool:
        if self._is(*words):
            self.at += len(words)
            return True
        return False

    def _need(self, *words: str) -> None:
        if not self._take(*words):
            raise self._strange()

    def _strange(self) -> UnsupportedConstruct:
        near = " ".join(token.text for token in self.tokens[self.at : self.at + 6])
        return UnsupportedConstruct(
            f"the statement that writes the table has an unknown shape near `{near}`"
        )

    def _name(self) -> list[str]:
        """A dotted name, in lower case."""
        parts = []
        while True:
            if self.at >= len(self.tokens):
                raise self._strange()
            token = self.tokens[self.at]
            if token.token_type.name != "IDENTIFIER" and not token.text.replace("_", "a").isalnum():
                raise self._strange()
            parts.append(token.text.lower())
            self.at += 1
            if not self._take("."):
                return parts

    def _target(self) -> None:
        name = self._name()
        if name != self.target[-len(name) :]:
            raise self._strange()

    def _source(self) -> None:
        if self._name()[-1] != self.source:
            raise self._strange()

    def _alias(self) -> str:
        if not self._take("as"):
            return ""
        return self._name()[-1]

    def _text(self, first: int, last: int) -> str:
        """What is written from one token to another, the latter excluded."""
        if last <= first:
            raise self._strange()
        return self.sql[self.tokens[first].start : self.tokens[last - 1].end + 1]

    def _until(self, *stops: str, closing: bool = False) -> str:
        """The text up to one of some words outside parentheses and CASE; ``closing``: or a ``)``."""
        first, depth, cases = self.at, 0, 0
        while self.at < len(self.tokens):
            plain = self.tokens[self.at].token_type.name not in ("IDENTIFIER", "STRING")
            word = self._peek() if plain else ""
            if depth == 0 and cases == 0 and (word in stops or (closing and word == ")")):
                break
            depth += (word in "([{") - (word in ")]}") if word else 0
            cases += (word == "case") - (word == "end" and cases > 0)
            self.at += 1
        return self._text(first, self.at)

    # -- statements ------------------------------------------------------------------------------

    def change(self) -> Change:
        """The statement."""
        if self._take("delete", "from"):
            self._target()
            return Delete()
        if self._take("update"):
            self._target()
            return Update()
        if self._take("insert", "into"):
            return self._insert()
        if self._take("merge", "into"):
            return self._merge()
        raise self._strange()

    def _columns(self) -> tuple[str, ...]:
        self._need("(")
        names = [self._name()[-1]]
        while self._take(","):
            names.append(self._name()[-1])
        self._need(")")
        return tuple(names)

    def _insert(self) -> Insert:
        self._target()
        columns = self._columns()
        wrapped = self._take("(")
        self._need("select")
        names = [self._name()[-1]]
        while self._take(","):
            names.append(self._name()[-1])
        self._need("from")
        self._source()
        self._alias()
        where = self._until(closing=True) if self._take("where") else None
        if wrapped:
            self._need(")")
        if tuple(names) != columns or self.at < len(self.tokens):
            raise self._strange()
        return Insert(columns, where)

    def _merge(self) -> Merge:
        self._target()
        target = self._alias()
        self._need("using")
        self._source()
        source = self._alias()
        if not target or not source:
            raise self._strange()
        join = self._until("when")
        clauses = []
        while self._take("when"):
            clauses.append(self._when())
        if self.at < len(self.tokens):
            self._need("returning")
        return Merge(target, source, join, tuple(clauses))

    def _when(self) -> When:
        first = self.at - 1
        match = "target" if self._take("not") else "matched"
        self._need("matched")
        if match == "target" and self._take("by"):
            match = self._peek()
            if match not in ("source", "target"):
                raise self._strange()
            self.at += 1
        condition = self._until("then") if self._take("and") else None
        self._need("then")
        action, mode, values = self._action()
        text = " ".join(self._text(first, self.at).split())
        if not self._is("when") and not self._is("returning") and self.at < len(self.tokens):
            raise self._strange()
        return When(match, action, condition, text, mode, values)

    def _action(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        if self._take("delete"):
            return "delete", EXPLICIT, ()
        if self._take("do", "nothing"):
            return "nothing", EXPLICIT, ()
        if self._take("error"):
            if not self._is("when") and self.at < len(self.tokens):
                self._until("when", "returning")
            return "error", EXPLICIT, ()
        for action in ("update", "insert"):
            if not self._take(action):
                continue
            if self._take("by", "name"):
                return action, BY_NAME, ()
            if self._take("by", "position") or self._take("*") or self._take("set", "*"):
                return action, BY_POSITION, ()
            return action, EXPLICIT, self._set() if action == "update" else self._values()
        raise self._strange()

    def _set(self) -> tuple[tuple[str, str], ...]:
        self._need("set")
        pairs = []
        while True:
            name = self._name()[-1]
            self._need("=")
            pairs.append((name, self._until(",", "when", "returning")))
            if not self._take(","):
                return tuple(pairs)

    def _values(self) -> tuple[tuple[str, str], ...]:
        columns = self._columns()
        self._need("values", "(")
        values = [self._until(",", closing=True)]
        while self._take(","):
            values.append(self._until(",", closing=True))
        self._need(")")
        if len(values) != len(columns):
            raise self._strange()
        return tuple(zip(columns, values, strict=True))


def source_column(when: When, column: str, merge: Merge) -> bool:
    """Whether an explicit SET takes ``column`` from the source and from nothing else."""
    value = dict(when.values).get(column.lower())
    if value is None:
        return False
    try:
        tokens = sqlglot.tokenize(value, read="duckdb")
    except SqlglotError:
        return False
    words = [token.text.lower() for token in tokens]
    return len(words) == 3 and words[0] == merge.source_alias and words[1] == "."


def assigned(when: When, merge: Merge, target: Sequence[str], source: Sequence[str]) -> dict[str, str]:
    """The columns that an update or insert writes, in lower case, with their expressions.

    Raises UnsupportedConstruct where columns are paired by position and their numbers differ.
    """
    alias = quote(merge.source_alias)
    if when.mode == EXPLICIT:
        return dict(when.values)
    if when.mode == BY_POSITION:
        if len(target) != len(source):
            raise UnsupportedConstruct("a merge by position of tables with different columns")
        return {t.lower(): f"{alias}.{quote(s)}" for t, s in zip(target, source, strict=True)}
    there = {name.lower() for name in target}
    return {name.lower(): f"{alias}.{quote(name)}" for name in source if name.lower() in there}
