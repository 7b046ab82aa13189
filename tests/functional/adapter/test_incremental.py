"""Incremental models: unique keys, predicates, changes of the schema, merge, microbatch."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.tests.adapter.incremental.test_incremental_merge_exclude_columns import BaseMergeExcludeColumns
from dbt.tests.adapter.incremental.test_incremental_microbatch import BaseMicrobatch
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import BaseIncrementalOnSchemaChange
from dbt.tests.adapter.incremental.test_incremental_predicates import BaseIncrementalPredicates
from dbt.tests.adapter.incremental.test_incremental_unique_id import BaseIncrementalUniqueKey

pytestmark = pytest.mark.slow


class TestIncrementalUniqueKey(BaseIncrementalUniqueKey):
    pass


class TestIncrementalPredicates(BaseIncrementalPredicates):
    pass


class TestIncrementalOnSchemaChange(BaseIncrementalOnSchemaChange):
    pass


class TestMergeExcludeColumns(BaseMergeExcludeColumns):
    pass


class TestMicrobatch(BaseMicrobatch):
    """The suite's SQL has literals that DuckDB does not read (a bare ``-0`` after the time), and a
    unique_key, which dbt-duckdb refuses for microbatch."""

    @pytest.fixture(scope="class")
    def microbatch_model_sql(self) -> str:
        return (
            "{{ config(materialized='incremental', incremental_strategy='microbatch', batch_size='day',"
            " event_time='event_time', begin=modules.datetime.datetime(2020, 1, 1, 0, 0, 0)) }}"
            " select * from {{ ref('input_model') }}"
        )

    @pytest.fixture(scope="class")
    def input_model_sql(self) -> str:
        rows = [f"select {day} as id, TIMESTAMP '2020-01-0{day}' as event_time" for day in (1, 2, 3)]
        return "{{ config(materialized='table', event_time='event_time') }} " + " union all ".join(rows)

    @pytest.fixture(scope="class")
    def insert_two_rows_sql(self, project: Any) -> str:
        return (
            f"insert into {project.test_schema}.input_model (id, event_time) values"
            " (4, TIMESTAMP '2020-01-04'), (5, TIMESTAMP '2020-01-05')"
        )
