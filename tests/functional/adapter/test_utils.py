"""dbt's cross-database macros: their models are tables of many small shapes.

date_spine and get_intervals_between are left out: plain dbt-duckdb fails them on DuckDB 2 as well.
"""

from __future__ import annotations

import importlib

import pytest

_NAMES = {
    "any_value": "BaseAnyValue", "array_append": "BaseArrayAppend",
    "array_concat": "BaseArrayConcat", "array_construct": "BaseArrayConstruct",
    "bool_or": "BaseBoolOr", "cast_bool_to_text": "BaseCastBoolToText", "concat": "BaseConcat",
    "date": "BaseDate", "date_trunc": "BaseDateTrunc", "dateadd": "BaseDateAdd",
    "datediff": "BaseDateDiff",
    "escape_single_quotes": "BaseEscapeSingleQuotesQuote", "except": "BaseExcept",
    "generate_series": "BaseGenerateSeries",
    "get_powers_of_two": "BaseGetPowersOfTwo", "hash": "BaseHash", "intersect": "BaseIntersect",
    "last_day": "BaseLastDay", "length": "BaseLength", "listagg": "BaseListagg",
    "position": "BasePosition", "replace": "BaseReplace", "right": "BaseRight",
    "safe_cast": "BaseSafeCast", "split_part": "BaseSplitPart",
    "string_literal": "BaseStringLiteral",
}  # fmt: skip

for _module, _base in _NAMES.items():
    _found = getattr(importlib.import_module(f"dbt.tests.adapter.utils.test_{_module}"), _base)
    _name = _base.replace("Base", "Test", 1)
    globals()[_name] = pytest.mark.slow(type(_name, (_found,), {"__module__": __name__}))
