"""Whole dbt runs on small projects, in-process, on a database file."""
