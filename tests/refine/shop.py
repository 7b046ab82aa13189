"""One project for the tests of the error domain: a seed of forty rows and models that refuse some."""

from __future__ import annotations

from typing import Any

ROWS = [(n, n % 5, n * 3 % 17 - 2, "x" if n % 11 == 3 else str(n)) for n in range(40)]
RAW = "id,k,v,t\n" + "".join(f"{i},{k},{v},{t}\n" for i, k, v, t in ROWS)


def model(meta: dict[str, Any], sql: str, materialized: str = "table") -> str:
    """A model's file with a cdme block."""
    return f"{{{{ config(materialized={materialized!r}, meta={{'cdme': {meta!r}}}) }}}}\n{sql}\n"


POSITIVE = {"name": "positive", "expression": "v >= 0"}

FILES = {
    "raw.csv": RAW,
    "plain.sql": model({"refine": [POSITIVE], "key": "id"},
                       "select id, k, v from {{ ref('raw') }} where id > 3"),
    "nothing_filtered.sql": model({"refine": [POSITIVE]},
                                  "select id, k, v from {{ ref('raw') }} where id >= 0"),
    "grouped.sql": model({"refine": [{"name": "few", "expression": "n < 7"}]},
                         "select k, count(*) as n from {{ ref('plain') }} group by k"),
    "fanned.sql": model({"refine": [{"name": "not_both", "expression": "side <> 'b' or id % 2 = 0"}]},
                        "select r.id, s.side from {{ ref('raw') }} r"
                        " cross join (values ('a'), ('b')) s(side) where r.id < 10"),
    "casted.sql": model({"cast": ["t"]},
                        "with r as (select *, 1 as one from {{ ref('raw') }}),\n"
                        "q as (select id, cast(t as integer) as t, v from r\n where v > -2)\n"
                        "select * from q where id > 2"),
    "kept_out.sql": model({"refine_inputs": {"raw": [POSITIVE]}},
                          "select k, count(*) as n, sum(v) as s from {{ ref('raw') }}"
                          " where id > 3 group by k"),
    "tested.sql": "select case when id in (7, 8) then 7 else id end as id, k, nullif(v, 4) as v"
                  " from {{ ref('raw') }}",
    "untested.sql": "{{ config(materialized='table') }} select case when id in (7, 8) then 7 else id end"
                    " as id, k, nullif(v, 4) as v from {{ ref('raw') }}",
    "latest.sql": model({"refine": [POSITIVE, {"name": "one", "unique": ["k"], "order_by": "v"}]},
                        "select id, k, v from {{ ref('raw') }}"),
    "looking.sql": model({"refine": [{"name": "loud", "expression": "cast(t as integer) < 30"}]},
                         "select id, t from {{ ref('raw') }}"),
    "contracted.sql": model({"refine": [POSITIVE]}, "select id, v from {{ ref('raw') }}"),
    "uncaptured.sql": model({"refine": [POSITIVE], "lineage_mode": "off"},
                            "select id, v from {{ ref('raw') }}"),
    "python.py": "def model(dbt, session):\n"
                 f"    dbt.config(materialized='table', meta={{'cdme': {{'refine': [{POSITIVE!r}]}}}})\n"
                 "    return dbt.ref('raw').project('id, v')\n",
    "m.yml": """
version: 2
models:
- name: contracted
  config: {contract: {enforced: true}}
  columns: [{name: id, data_type: integer}, {name: v, data_type: integer}]
- name: plain
  data_tests:
  - dbt_cdme_like_nothing_here: {}
- name: tested
  config: {materialized: table, meta: {cdme: {refine: tests}}}
  columns: &columns
  - name: id
    data_tests: [unique, not_null]
  - name: v
    data_tests:
    - not_null: {config: {where: "id > 30"}}
    - not_null: {name: warned, config: {severity: warn}}
  - name: k
    data_tests:
    - accepted_values: {arguments: {values: [0, 1, 2, 3], quote: false}}
    - relationships: {arguments: {to: ref('few'), field: k}, config: {where: "id < 20"}}
- name: untested
  columns: *columns
""".replace("""- name: plain
  data_tests:
  - dbt_cdme_like_nothing_here: {}
""", ""),
    "known.sql": model({"refine": [{"name": "known", "expression": "k in (select k from main.few)"}]},
                       "-- depends_on: {{ ref('few') }}\nselect id, k from {{ ref('raw') }}"),
    "few.sql": "{{ config(materialized='table') }} select * from (values (0), (1), (null)) t(k)",
}  # fmt: skip
