"""Contracts and constraints, exact DDL included."""

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


class Types:
    """How DuckDB names types."""

    @pytest.fixture
    def int_type(self) -> str:
        return "INT"

    @pytest.fixture
    def string_type(self) -> str:
        return "VARCHAR"

    @pytest.fixture
    def data_types(self, schema_int_type: str, int_type: str) -> list[list[str]]:
        return [
            ["1", schema_int_type, int_type],
            ["'1'", "VARCHAR", "VARCHAR"],
            ["true", "bool", "BOOL"],
            ["timestamp '2013-11-03 00:00:00'", "TIMESTAMP", "TIMESTAMP"],
            ["[1, 2]", "INTEGER[]", "INTEGER[]"],
            ["'1'::numeric", "numeric", "DECIMAL"],
            ["'{}'::json", "json", "JSON"],
        ]


class NotNull(Types):
    """What DuckDB says of a NULL where there must be none."""

    @pytest.fixture(scope="class")
    def expected_error_messages(self) -> list[str]:
        return ["NOT NULL constraint failed"]


class TestTableColumns(Types, BaseTableConstraintsColumnsEqual):
    pass


class TestViewColumns(Types, BaseViewConstraintsColumnsEqual):
    pass


class TestIncrementalColumns(Types, BaseIncrementalConstraintsColumnsEqual):
    pass


class TestTableDdl(Types, BaseConstraintsRuntimeDdlEnforcement):
    pass


class TestTableRollback(NotNull, BaseConstraintsRollback):
    pass


class TestIncrementalDdl(NotNull, BaseIncrementalConstraintsRuntimeDdlEnforcement):
    pass


class TestIncrementalRollback(NotNull, BaseIncrementalConstraintsRollback):
    pass


class TestModelDdl(NotNull, BaseModelConstraintsRuntimeEnforcement):
    pass
