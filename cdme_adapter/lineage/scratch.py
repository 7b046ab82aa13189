"""Temporary tables of one question: made on the connection, gone when the question is answered."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

import duckdb

from cdme_adapter.store.reader import Connection

_NUMBERS = itertools.count(1)


class Scratch:
    """Names, makes and drops temporary tables; nothing of it touches the user's database."""

    def __init__(self, con: Connection) -> None:
        self.con = con
        self._made: list[str] = []

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        while self._made:
            with contextlib.suppress(duckdb.TransactionException):  # an error aborted the transaction
                self.con.execute(f"DROP TABLE IF EXISTS {self._made.pop()}")

    def name(self) -> str:
        """A fresh table name, dropped at the end whether or not a table is made of it."""
        name = f"temp.main.__cdme_q{next(_NUMBERS)}"
        self._made.append(name)
        return name

    def create(self, select: str) -> tuple[str, int]:
        """A table of a query's rows, and how many they are."""
        name = self.name()
        made = self.con.execute(f"CREATE TEMP TABLE {name} AS {select}").fetchall()
        return name, int(made[0][0])

    def table_of(self, columns: Sequence[str], rows: Sequence[Sequence[int | None]]) -> str:
        """A table of integers from Python."""
        name = self.name()
        lists = ", ".join(f"unnest(?::BIGINT[]) AS {column}" for column in columns)
        values = [[row[at] for row in rows] for at in range(len(columns))]
        self.con.execute(f"CREATE TEMP TABLE {name} AS SELECT {lists}", values)
        return name

    def execute(self, sql: str, values: Sequence[int]) -> None:
        """A statement with one list as its parameter."""
        self.con.execute(sql, [list(values)])
