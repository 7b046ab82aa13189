"""CDME: record-level accountability for data pipelines, as a dbt adapter."""

__version__ = "0.1.0"
