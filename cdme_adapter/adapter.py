"""The adapter that dbt loads for ``type: cdme``."""

from __future__ import annotations

from dbt.adapters.duckdb.impl import DuckDBAdapter

from cdme_adapter.connections import CdmeConnectionManager


class CdmeAdapter(DuckDBAdapter):
    """dbt-duckdb's adapter; what is not captured runs exactly as it would there."""

    ConnectionManager = CdmeConnectionManager
