"""Caching, concurrency, --empty, persist_docs, changes of type, store_failures, seeds, hooks."""

from __future__ import annotations

import pytest
from dbt.tests.adapter.caching.test_caching import (
    BaseCachingLowercaseModel,
    BaseCachingSelectedSchemaOnly,
)
from dbt.tests.adapter.concurrency.test_concurrency import BaseConcurrency
from dbt.tests.adapter.dbt_show.test_dbt_show import BaseShowLimit, BaseShowSqlHeader
from dbt.tests.adapter.empty.test_empty import BaseTestEmpty, BaseTestEmptyInlineSourceRef
from dbt.tests.adapter.persist_docs.test_persist_docs import (
    BasePersistDocs,
    BasePersistDocsColumnMissing,
    BasePersistDocsCommentOnQuotedColumn,
)
from dbt.tests.adapter.relations.test_changing_relation_type import BaseChangeRelationTypeValidator
from dbt.tests.adapter.simple_seed.test_seed import (
    BaseSeedCustomSchema,
    BaseSeedParsing,
    BaseSimpleSeedEnabledViaConfig,
)
from dbt.tests.adapter.store_test_failures_tests.basic import StoreTestFailuresAsInteractions

pytestmark = pytest.mark.slow


class TestCachingLowercase(BaseCachingLowercaseModel):
    pass


class TestCachingSelectedSchema(BaseCachingSelectedSchemaOnly):
    pass


class TestConcurrency(BaseConcurrency):
    pass


class TestEmptyFlag(BaseTestEmpty):
    pass


class TestEmptyFlagInline(BaseTestEmptyInlineSourceRef):
    pass


class TestPersistDocs(BasePersistDocs):
    pass


class TestPersistDocsColumnMissing(BasePersistDocsColumnMissing):
    pass


class TestPersistDocsQuoted(BasePersistDocsCommentOnQuotedColumn):
    pass


class TestChangeOfType(BaseChangeRelationTypeValidator):
    pass


class TestSeedSchema(BaseSeedCustomSchema):
    pass


class TestSeedParsing(BaseSeedParsing):
    pass


class TestSeedEnabled(BaseSimpleSeedEnabledViaConfig):
    pass


class TestStoreFailures(StoreTestFailuresAsInteractions):
    pass


class TestShowLimit(BaseShowLimit):
    pass


class TestShowHeader(BaseShowSqlHeader):
    pass
