"""What every dbt adapter must do, by subclassing and overriding nothing."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.basic.test_adapter_methods import BaseAdapterMethod
from dbt.tests.adapter.basic.test_base import BaseSimpleMaterializations
from dbt.tests.adapter.basic.test_empty import BaseEmpty
from dbt.tests.adapter.basic.test_ephemeral import BaseEphemeral
from dbt.tests.adapter.basic.test_generic_tests import BaseGenericTests
from dbt.tests.adapter.basic.test_incremental import (
    BaseIncremental,
    BaseIncrementalNotSchemaChange,
)
from dbt.tests.adapter.basic.test_singular_tests import BaseSingularTests
from dbt.tests.adapter.basic.test_singular_tests_ephemeral import BaseSingularTestsEphemeral
from dbt.tests.adapter.basic.test_snapshot_check_cols import BaseSnapshotCheckCols
from dbt.tests.adapter.basic.test_snapshot_timestamp import BaseSnapshotTimestamp
from dbt.tests.adapter.basic.test_table_materialization import BaseTableMaterialization
from dbt.tests.adapter.basic.test_validate_connection import BaseValidateConnection

pytestmark = pytest.mark.slow


class TestSimpleMaterializations(BaseSimpleMaterializations):
    """Seed, view, table, incremental; switching between them."""


class TestSingularTests(BaseSingularTests):
    """Tests that are SQL files."""


class TestSingularTestsEphemeral(BaseSingularTestsEphemeral):
    """Tests on ephemeral models."""


class TestEmpty(BaseEmpty):
    """A project with nothing in it."""


class TestEphemeral(BaseEphemeral):
    """Ephemeral models are CTEs of their readers."""


class TestIncremental(BaseIncremental):
    """An incremental model over two runs."""


class TestIncrementalNotSchemaChange(BaseIncrementalNotSchemaChange):
    """Incremental models that ignore changes of the schema."""


class TestGenericTests(BaseGenericTests):
    """Tests declared in YAML."""


class TestSnapshotCheckCols(BaseSnapshotCheckCols):
    """Snapshots that compare columns."""


class TestSnapshotTimestamp(BaseSnapshotTimestamp):
    """Snapshots that compare a timestamp."""


class TestTableMaterialization(BaseTableMaterialization):
    """Tables whose names need care."""


class TestAdapterMethod(BaseAdapterMethod):
    """The adapter's methods from Jinja."""


class TestValidateConnection(BaseValidateConnection):
    """dbt debug."""
