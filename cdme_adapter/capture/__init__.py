"""Capture: SQL in, capture plan out. Pure: knows sqlglot, no database, no dbt."""
