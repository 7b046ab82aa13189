"""What else dbt-duckdb's own suite covers, and its neighbours: documentation, nested ephemerals, seeds,
stored failures, hooks, comments of queries, copies."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from dbt.tests.adapter.basic.expected_catalog import (
    base_expected_catalog,
    expected_references_catalog,
    no_stats,
)
from dbt.tests.adapter.basic.test_docs_generate import BaseDocsGenerate, BaseDocsGenReferences
from dbt.tests.adapter.ephemeral.test_ephemeral import BaseEphemeralMulti, BaseEphemeralNested
from dbt.tests.util import check_relations_equal, run_dbt

pytestmark = pytest.mark.slow
_SHAPE: dict[str, Any] = {
    "role": None, "id_type": "INTEGER", "text_type": "VARCHAR", "time_type": "TIMESTAMP",
    "view_type": "VIEW", "table_type": "BASE TABLE", "model_stats": no_stats(),
}  # fmt: skip


class TestDocsGenerate(BaseDocsGenerate):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any) -> Any:
        return base_expected_catalog(project, **_SHAPE)


class TestDocsGenReferences(BaseDocsGenReferences):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any) -> Any:
        return expected_references_catalog(project, bigint_type="BIGINT", **_SHAPE)


class TestEphemeralMulti(BaseEphemeralMulti):
    """The suite compares the text of a compiled view with PostgreSQL's; here its rows are compared."""

    def test_ephemeral_multi(self, project: Any) -> None:
        run_dbt(["seed"])
        assert len(run_dbt(["run"])) == 3
        for name in ("dependent", "double_dependent", "super_dependent"):
            check_relations_equal(project.adapter, ["seed", name])


class TestEphemeralNested(BaseEphemeralNested):
    """The same: the view's rows, not its text."""

    def test_ephemeral_nested(self, project: Any) -> None:
        assert len(run_dbt(["run"])) == 2
        assert project.run_sql("select count(*) from {schema}.root_view", fetch="one")[0] > 0


_NAMES = {
    "aliases.test_aliases": ["BaseSameAliasDifferentSchemas"],
    "ephemeral.test_ephemeral": ["BaseEphemeralErrorHandling"],
    "simple_seed.test_seed": [
        "BaseSeedConfigFullRefreshOff",
        "BaseSeedWithUniqueDelimiter", "BaseSeedWithWrongDelimiter", "BaseSeedWithEmptyDelimiter",
        "BaseTestEmptySeed",
    ],
    "store_test_failures_tests.test_store_test_failures": [
        "BaseStoreTestFailures", "BaseStoreTestFailuresLimit",
    ],
    "store_test_failures_tests.basic": [
        "StoreTestFailuresAsProjectLevelOff", "StoreTestFailuresAsProjectLevelView",
        "StoreTestFailuresAsProjectLevelEphemeral", "StoreTestFailuresAsGeneric",
        "StoreTestFailuresAsExceptions",
    ],
    "hooks.test_model_hooks": ["BaseDuplicateHooksInConfigs", "BaseHooksRefsOnSeeds"],
    "query_comment.test_query_comment": ["BaseQueryComments", "BaseNullQueryComments"],
    "simple_copy.test_simple_copy": ["EmptyModelsArentRunBase"],
    "constraints.test_constraints": ["BaseIncrementalForeignKeyConstraint"],
    "unit_testing.test_quoted_reserved_word_column_names": ["BaseUnitTestQuotedReservedWordColumnNames"],
}  # fmt: skip

FAILS_ON_BOTH = {
    "BaseBasicSeedTests": "what it asserts of views over a seed after --full-refresh is not so on DuckDB",
    "BaseSeedConfigFullRefreshOn": "the same",
    "BaseSimpleSeedWithBOM": "brings no file of its own",
    "BaseAfterRunHooks": "looks for PostgreSQL's words in an error",
    "BaseTableContractSqlHeader": "its SQL header does not run on DuckDB",
    "BaseIncrementalContractSqlHeader": "the same",
    "BaseTestEmptySeedFlag": "`dbt seed --empty` is not there in dbt 1.11",
    "BaseDateSpine": "its model does not run on DuckDB 2; dbt-duckdb skips it too",
    "BaseGetIntervalsBetween": "the same",
    "BaseCurrentTimestampNaive": "DuckDB's current_timestamp has a time zone; dbt-duckdb skips it too",
}
"""What plain dbt-duckdb fails, and cdme with it, in the same way: left out of the suite."""

for _module, _bases in _NAMES.items():
    for _base in _bases:
        _found = getattr(import_module(f"dbt.tests.adapter.{_module}"), _base)
        _name = "Test" + _base.removeprefix("Base").removesuffix("Base").removeprefix("Test")
        globals()[_name] = type(_name, (_found,), {"__module__": __name__})
