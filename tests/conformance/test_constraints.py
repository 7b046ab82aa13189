"""Contracts and constraints: the table must have them although capture builds it another way."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.constraints.test_constraints import (
    BaseConstraintsRollback,
    BaseConstraintsRuntimeDdlEnforcement,
    BaseIncrementalConstraintsColumnsEqual,
    BaseIncrementalConstraintsRollback,
    BaseIncrementalConstraintsRuntimeDdlEnforcement,
    BaseModelConstraintsRuntimeEnforcement,
    BaseTableConstraintsColumnsEqual,
    BaseViewConstraintsColumnsEqual,
)

pytestmark = pytest.mark.slow


class DuckDBTypes:
    """DuckDB's types and messages, as dbt-duckdb's own tests give them."""

    @pytest.fixture
    def int_type(self) -> str:
        return "INT"

    @pytest.fixture
    def string_type(self) -> str:
        return "VARCHAR"

    @pytest.fixture
    def data_types(self, schema_int_type: str, int_type: str, string_type: str) -> list[list[str]]:
        """The SQL of a value, its type in YAML, its type in the error message."""
        return [
            ["1", schema_int_type, int_type],
            ["'1'", string_type, string_type],
            ["true", "bool", "BOOL"],
            ["'2013-11-03 00:00:00-07'::timestamp", "TIMESTAMP", "TIMESTAMP"],
            ["'2013-11-03 00:00:00-07'::timestamptz", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"],
            ["ARRAY['a','b','c']", "VARCHAR[]", "VARCHAR[]"],
            ["'1'::numeric", "numeric", "DECIMAL"],
        ]

    @pytest.fixture(scope="class")
    def expected_error_messages(self) -> list[str]:
        return ["NOT NULL constraint failed"]


class TestTableColumnsEqual(DuckDBTypes, BaseTableConstraintsColumnsEqual):
    """A table's contract names its columns."""


class TestViewColumnsEqual(DuckDBTypes, BaseViewConstraintsColumnsEqual):
    """A view's contract names its columns."""


class TestIncrementalColumnsEqual(DuckDBTypes, BaseIncrementalConstraintsColumnsEqual):
    """An incremental model's contract names its columns."""


class TestTableDdl(DuckDBTypes, BaseConstraintsRuntimeDdlEnforcement):
    """The DDL of a table with constraints, to the letter."""


class TestTableRollback(DuckDBTypes, BaseConstraintsRollback):
    """A row that violates a constraint leaves the old table as it was."""


class TestIncrementalDdl(DuckDBTypes, BaseIncrementalConstraintsRuntimeDdlEnforcement):
    """The DDL of an incremental model with constraints, to the letter."""


class TestIncrementalRollback(DuckDBTypes, BaseIncrementalConstraintsRollback):
    """The same for an incremental model."""


class TestModelConstraints(DuckDBTypes, BaseModelConstraintsRuntimeEnforcement):
    """Constraints declared on the model instead of a column."""
