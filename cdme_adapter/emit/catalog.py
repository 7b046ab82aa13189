"""What the database says of the relations that events name: columns, types, files, row counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdme_adapter.emit.names import database_namespace
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import full_name

Relation = tuple[str, str, str]


@dataclass(frozen=True)
class Catalog:
    """The columns (name to type) of all relations by lower-case name, and where databases lie."""

    execute: Execute
    columns: Mapping[Relation, Mapping[str, str]]
    paths: Mapping[str, str | None]
    _counts: dict[Relation, int] = field(default_factory=dict)
    _namespaces: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, execute: Execute) -> Catalog:
        """The catalog as it is now, in two queries."""
        columns: dict[Relation, dict[str, str]] = {}
        for database, schema, table, column, kind in execute(
            "SELECT lower(database_name), lower(schema_name), lower(table_name), column_name, data_type"
            " FROM duckdb_columns() WHERE NOT internal AND schema_name <> 'cdme'"
            " ORDER BY database_name, schema_name, table_name, column_index"
        ):
            columns.setdefault((database, schema, table), {})[column] = kind
        paths = execute("SELECT lower(database_name), path FROM duckdb_databases()")
        return cls(execute, columns, dict(paths))

    def namespace(self, database: str) -> str:
        """The OpenLineage namespace of a database."""
        known = self._namespaces.get(database)
        if known is None:
            known = self._namespaces[database] = database_namespace(self.paths.get(database.lower()))
        return known

    def count(self, database: str, schema: str, name: str) -> int | None:
        """How many rows a relation has now; None where there is none."""
        key = (database.lower(), schema.lower(), name.lower())
        if key not in self.columns:
            return None
        if key not in self._counts:
            rows = self.execute(f"SELECT count(*) FROM {full_name(database, schema, name)}")
            self._counts[key] = int(rows[0][0])
        return self._counts[key]
