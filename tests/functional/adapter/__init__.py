"""dbt-tests-adapter's classes for everything that dbt-duckdb's own suite covers, capture on."""
