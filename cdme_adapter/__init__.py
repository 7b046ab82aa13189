"""CDME: record-level accountability for data pipelines, as a dbt adapter.

``open_questions`` and ``Questions`` are the Python API (docs/python.md); they are imported when asked for,
so that the package itself stays light.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Questions", "__version__", "open_questions"]


def __getattr__(name: str) -> Any:
    if name == "open_questions":
        from cdme_adapter.lineage.opening import open_questions

        return open_questions
    if name == "Questions":
        from cdme_adapter.lineage.api import Questions

        return Questions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
