"""The basics: what every adapter must do."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.aliases.test_aliases import BaseAliasErrors, BaseAliases
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


class TestSimpleMaterializations(BaseSimpleMaterializations):
    """Kept in every run; the others are slow."""


class TestTableMaterialization(BaseTableMaterialization):
    """Kept in every run."""


@pytest.mark.slow
class TestSingularTests(BaseSingularTests):
    pass


@pytest.mark.slow
class TestSingularTestsEphemeral(BaseSingularTestsEphemeral):
    pass


@pytest.mark.slow
class TestEmpty(BaseEmpty):
    pass


class TestEphemeral(BaseEphemeral):
    """Kept in every run."""


@pytest.mark.slow
class TestIncremental(BaseIncremental):
    pass


@pytest.mark.slow
class TestIncrementalNotSchemaChange(BaseIncrementalNotSchemaChange):
    pass


@pytest.mark.slow
class TestGenericTests(BaseGenericTests):
    pass


@pytest.mark.slow
class TestSnapshotCheckCols(BaseSnapshotCheckCols):
    pass


class TestSnapshotTimestamp(BaseSnapshotTimestamp):
    """Kept in every run."""


@pytest.mark.slow
class TestAdapterMethods(BaseAdapterMethod):
    pass


@pytest.mark.slow
class TestConnection(BaseValidateConnection):
    pass


@pytest.mark.slow
class TestAliases(BaseAliases):
    pass


@pytest.mark.slow
class TestAliasErrors(BaseAliasErrors):
    pass
