"""Materializations beyond the basic ones, and what users do between them."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.concurrency import test_concurrency
from dbt.tests.adapter.incremental.test_incremental_microbatch import BaseMicrobatch
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import (
    BaseIncrementalOnSchemaChange,
)
from dbt.tests.adapter.incremental.test_incremental_predicates import BaseIncrementalPredicates
from dbt.tests.adapter.python_model.test_python_model import (
    BasePythonModelTests,
    basic_sql,
    schema_yml,
    second_sql,
)
from dbt.tests.adapter.relations.test_changing_relation_type import (
    BaseChangeRelationTypeValidator,
)
from dbt.tests.adapter.unit_testing.test_case_insensitivity import BaseUnitTestCaseInsensivity
from dbt.tests.fixtures.project import TestProjInfo

pytestmark = pytest.mark.slow

PYTHON_MODEL = """
def model(dbt, _):
    dbt.config(materialized='table')
    df = dbt.ref("my_sql_model")
    other = dbt.source('test_source', 'test_table')
    return df.limit(2)
"""

# The suite's own literals carry an offset, and its model a unique key; dbt-duckdb accepts neither.
INPUT = """
{{ config(materialized='table', event_time='event_time') }}
select 1 as id, timestamp '2020-01-01 00:00:00' as event_time
union all
select 2 as id, timestamp '2020-01-02 00:00:00' as event_time
union all
select 3 as id, timestamp '2020-01-03 00:00:00' as event_time
"""

BATCHES = """
{{ config(
    materialized='incremental', incremental_strategy='microbatch', event_time='event_time',
    batch_size='day', begin=modules.datetime.datetime(2020, 1, 1, 0, 0, 0)) }}
select * from {{ ref('input_model') }}
"""


class TestConcurrency(test_concurrency.TestConcurenncy):
    """Several models at once, some of which fail."""


class TestMicrobatch(BaseMicrobatch):
    """Each batch in a transaction of its own."""

    @pytest.fixture(scope="class")
    def microbatch_model_sql(self) -> str:
        return BATCHES

    @pytest.fixture(scope="class")
    def input_model_sql(self) -> str:
        return INPUT

    @pytest.fixture(scope="class")
    def insert_two_rows_sql(self, project: TestProjInfo) -> str:
        return (
            f"insert into {project.test_schema}.input_model values "
            "(4, timestamp '2020-01-04'), (5, timestamp '2020-01-05')"
        )


class TestIncrementalPredicates(BaseIncrementalPredicates):
    """Predicates on what an incremental model replaces."""


class TestIncrementalOnSchemaChange(BaseIncrementalOnSchemaChange):
    """Columns that come and go between runs."""


class TestChangeRelationType(BaseChangeRelationTypeValidator):
    """A model that becomes a view, a table, an incremental model and back."""


class TestUnitTests(BaseUnitTestCaseInsensivity):
    """dbt's unit tests run a model's SQL on fixtures."""


class TestPythonModel(BasePythonModelTests):
    """Python models, which find the environment through dbt-duckdb's own class."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {
            "schema.yml": schema_yml,
            "my_sql_model.sql": basic_sql,
            "my_versioned_sql_model_v1.sql": basic_sql,
            "my_python_model.py": PYTHON_MODEL,
            "second_sql_model.sql": second_sql,
        }
