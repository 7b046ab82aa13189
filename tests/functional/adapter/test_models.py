"""Python models, unit tests and hooks."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.python_model.test_python_model import (
    BasePythonIncrementalTests,
    BasePythonModelTests,
    basic_sql,
    m_1,
    schema_yml,
    second_sql,
)
from dbt.tests.adapter.unit_testing.test_case_insensitivity import BaseUnitTestCaseInsensivity
from dbt.tests.adapter.unit_testing.test_invalid_input import BaseUnitTestInvalidInput
from dbt.tests.adapter.unit_testing.test_types import BaseUnitTestingTypes

pytestmark = pytest.mark.slow

_PYTHON = """
def model(dbt, session):
    dbt.config(materialized="table")
    dbt.source("test_source", "test_table")
    return dbt.ref("my_sql_model").limit(2)
"""
_INCREMENTAL = """
def model(dbt, session):
    dbt.config(materialized="incremental", unique_key="id")
    rows = dbt.ref("m_1")
    return rows.filter("id > 5") if dbt.is_incremental else rows
"""


class TestPythonModel(BasePythonModelTests):
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {
            "schema.yml": schema_yml,
            "my_sql_model.sql": basic_sql,
            "my_versioned_sql_model_v1.sql": basic_sql,
            "my_python_model.py": _PYTHON,
            "second_sql_model.sql": second_sql,
        }


class TestPythonIncremental(BasePythonIncrementalTests):
    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, object]:
        return {"models": {"+incremental_strategy": "delete+insert"}}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"m_1.sql": m_1, "incremental.py": _INCREMENTAL}


class TestUnitTestTypes(BaseUnitTestingTypes):
    @pytest.fixture
    def data_types(self) -> list[list[str]]:
        return [
            ["1", "1"],
            ["2.0", "2.0"],
            ["'12345'", "12345"],
            ["true", "true"],
            ["DATE '2020-01-02'", "2020-01-02"],
            ["TIMESTAMP '2013-11-03 00:00:00-0'", "2013-11-03 00:00:00-0"],
            ["[1, 2]", "[1, 2]"],
        ]


class TestUnitTestCase(BaseUnitTestCaseInsensivity):
    pass


class TestUnitTestInput(BaseUnitTestInvalidInput):
    pass
