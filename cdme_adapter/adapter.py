"""The adapter that dbt loads for ``type: cdme``."""

from __future__ import annotations

from dbt.adapters.duckdb.impl import DuckDBAdapter

from cdme_adapter.capture_mixin import CaptureMixin
from cdme_adapter.connections import CdmeConnectionManager
from cdme_adapter.preflight_mixin import PreflightMixin
from cdme_adapter.questions_mixin import QuestionsMixin


class CdmeAdapter(PreflightMixin, CaptureMixin, QuestionsMixin, DuckDBAdapter):
    """dbt-duckdb's adapter; what is not captured runs exactly as it would there."""

    ConnectionManager = CdmeConnectionManager
