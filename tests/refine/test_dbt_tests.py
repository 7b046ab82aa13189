"""A record is rejected exactly when the model's own dbt test would return it, package tests included.

``dbt_utils`` is a stand-in: the text of the tests that are enforced, as the package has it.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.functional.project import Project
from tests.refine.shop import model

RAW = """id,k,v,name,My Key
1,a,5,ann,p
2,b,-5,bob,p
2,c,7,,q
3,z,8,  ,r
4,a,,ee,s
5,b,150,ff,t
,c,9,gg,u
,c,10,x,v
"""
UTILS = """
{% test expression_is_true(model, expression, column_name=None) %}
select 1 from {{ model }} where not({{ column_name or '' }} {{ expression }})
{% endtest %}
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
select * from {{ model }} where 1 = 2
{%- if min_value is not none %} or not {{ column_name }} > {{- "=" if inclusive }} {{ min_value }}
{%- endif -%}
{%- if max_value is not none %} or not {{ column_name }} < {{- "=" if inclusive }} {{ max_value }}
{%- endif %}
{% endtest %}
{% test not_accepted_values(model, column_name, values, quote=True) %}
select * from {{ model }} where {{ column_name }} in (
{% for v in values -%} {{ "'" ~ v ~ "'" if quote else v }} {%- if not loop.last -%},{%- endif %}
{%- endfor %})
{% endtest %}
{% test not_empty_string(model, column_name, trim_whitespace=true) %}
select * from {{ model }}
where {{ 'trim(' ~ column_name ~ ')' if trim_whitespace else column_name }} = ''
{% endtest %}
{% test relationships_where(model, column_name, to, field, from_condition="1=1", to_condition="1=1") %}
select l.id from (select {{ column_name }} as id from {{ model }}
  where {{ column_name }} is not null and {{ from_condition }}) l
left join (select {{ field }} as id from {{ to }}
  where {{ field }} is not null and {{ to_condition }}) r on l.id = r.id where r.id is null
{% endtest %}
{% test unique_combination_of_columns(model, combination_of_columns, quote_columns=false) %}
select {{ combination_of_columns | join(', ') }} from {{ model }}
group by {{ combination_of_columns | join(', ') }} having count(*) > 1
{% endtest %}
{% test something_else(model) %} select 1 where false {% endtest %}
"""
UTIL = "dbt_utils."
# What a model declares of its columns, or of itself, and the records that are rejected.
CASES: dict[str, tuple[dict[str, list[Any]], list[str]]] = {
    "values_of_a_variable": (
        {"k": [{"accepted_values": {"arguments": {"values": "{{ var('allowed') }}"}}}]},
        ["3"],
    ),
    "expression_of_a_column": (
        {"v": [{f"{UTIL}expression_is_true": {"arguments": {"expression": "> {{ var('least') }}"}}}]},
        ["2 bob"],
    ),
    "expression_of_the_model": (
        {"": [{f"{UTIL}expression_is_true": {"arguments": {"expression": "v < 100 and id > 1"}}}]},
        ["1", "5"],
    ),
    "range": (
        {"v": [{f"{UTIL}accepted_range": {"arguments": {"min_value": 5, "max_value": 10,
                                                        "inclusive": False}}}]},
        ["1", "2 bob", "5", "None x"],
    ),
    "not_empty": ({"name": [f"{UTIL}not_empty_string"]}, ["3"]),
    "not_values": (
        {"id": [{f"{UTIL}not_accepted_values": {"arguments": {"values": [1, 2], "quote": False}}}]},
        ["1", "2 bob", "2 None"],
    ),
    "parents": (
        {"k": [{f"{UTIL}relationships_where": {"arguments": {
            "to": "ref('kinds')", "field": "k", "to_condition": "k <> 'b'", "from_condition": "id < 5"}}}]},
        ["2 bob", "3"],
    ),
    "combination": (
        {"": [{f"{UTIL}unique_combination_of_columns": {"arguments": {"combination_of_columns": [
            "id", "k"]}}}]},
        ["None gg", "None x"],
    ),
    "quoted": ({'"My Key"': ["unique"]}, ["1", "2 bob"]),
    "with_where": (
        {"id": [{"unique": {"config": {"where": "k <> 'c' or v > {{ var('least') }} and v < 8"}}},
                {"not_null": {"config": {"where": "v > 9"}}}]},
        ["2 bob", "2 None", "None x"],
    ),
    # A test that only warns rejects nothing; thresholds and limit of a test are dbt's, not a record's.
    "warning": ({"v": [{"not_null": {"config": {"severity": "warn"}}}]}, []),
    "thresholds": (
        {"id": [{"not_null": {"config": {"error_if": ">9", "warn_if": ">8", "limit": 1}}}]},
        ["None gg", "None x"],
    ),
}  # fmt: skip


def _yaml(name: str, declared: dict[str, list[Any]]) -> dict[str, Any]:
    columns = [
        {"name": column.strip('"'), "quote": column.startswith('"'), "data_tests": tests}
        for column, tests in declared.items()
        if column
    ]
    return {"name": name, "columns": columns, "data_tests": declared.get("", [])}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("tests") / "shop")
    made.configure(vars={"allowed": ["a", "b", "c"], "least": 0})
    sql = "-- depends_on: {{ ref('kinds') }}\nselect * from {{ ref('raw') }}"
    named = {"version": 2, "models": [_yaml(name, declared) for name, (declared, _) in CASES.items()]}
    named["models"].append(_yaml("unlike", {"": [f"{UTIL}something_else"], "k": ["not_null"]}))
    files = {f"{name}.sql": model({"refine": "tests"}, sql) for name in (*CASES, "unlike")}
    made.write(
        {
            **files,
            "raw.csv": RAW,
            "kinds.csv": "k\na\nb\nc\n",
            "s.yml": yaml.safe_dump(named),
            "./packages.yml": "packages: [{local: utils}]",
            "utils/dbt_project.yml": "{name: dbt_utils, version: 1.3.0, config-version: 2}",
            "utils/macros/tests.sql": UTILS,
        }
    )
    made.dbt("deps")
    made.dbt("seed")
    made.dbt("run")
    return made


@pytest.mark.parametrize("name", CASES)
def test_what_a_test_would_return_is_rejected(project: Project, name: str) -> None:
    rows = project.sql(
        "SELECT record->>'id', record->>'name' FROM cdme.errors WHERE split_part(model, '.', -1) ="
        f" '{name}' ORDER BY record->>'id' NULLS LAST, record->>'name' NULLS LAST"
    )
    wanted = CASES[name][1]
    found = [f"{i} {n}" if f"{i} {n}" in wanted else str(i) for i, n in rows]
    assert found == wanted
    assert project.one(f"SELECT count(*) FROM {name}") == 8 - len(wanted)


def test_the_tests_themselves_pass_afterwards(project: Project) -> None:
    status = project.dbt("test", ok=None).status
    assert set(status.values()) == {"pass", "warn"}, status
    assert [name for name, found in status.items() if found == "warn"] == ["not_null_warning_v"]


def test_what_is_not_enforced_is_said(project: Project) -> None:
    project.dbt("run", "--select", "unlike")
    said = {f["model"]: f["message"] for f in project.file_ledger()["findings"]
            if f["code"] == "REFINE_TEST_SKIPPED"}  # fmt: skip
    assert list(said) == ["model.shop.unlike"] and "dbt_utils.something_else" in said["model.shop.unlike"]
