"""Column lineage of queries: the ways in which input columns take part."""

from __future__ import annotations

import pytest

from cdme_adapter.emit.columns import ColumnLineage, Uses, column_lineage

KNOWN = {
    ("db", "main", "f"): dict.fromkeys(["k", "d", "t"], "INTEGER"),
    ("db", "main", "a"): {"k": "INTEGER", "name": "VARCHAR"},
}


def flat(uses: Uses) -> dict[str, str]:
    return {
        f"{relation[2]}.{column}": " ".join(sorted(how.subtype for how in ways))
        for (relation, column), ways in uses.items()
    }


def lineage(sql: str) -> ColumnLineage | None:
    return column_lineage(sql, KNOWN, "db", "main")


CASES = {
    "select k, d + t as s from f": ({"k": {"f.k": "IDENTITY"},
                                     "s": {"f.d": "TRANSFORMATION", "f.t": "TRANSFORMATION"}}, {}),
    "select sum(d + 1) as s, count(*) as n from f where t > 0":
        ({"s": {"f.d": "AGGREGATION"}, "n": {}}, {"f.t": "FILTER"}),
    "select k, sum(d) as s from f group by k having max(t) > 1 order by s":
        ({"k": {"f.k": "IDENTITY"}, "s": {"f.d": "AGGREGATION"}},
         {"f.k": "GROUP_BY", "f.t": "FILTER", "f.d": "SORT"}),
    "select f.k, a.name from f left join a on f.k = a.k":
        ({"k": {"f.k": "IDENTITY"}, "name": {"a.name": "IDENTITY"}}, {"f.k": "JOIN", "a.k": "JOIN"}),
    "select case when d > 0 then k else t end as x from f":
        ({"x": {"f.d": "CONDITIONAL", "f.k": "TRANSFORMATION", "f.t": "TRANSFORMATION"}}, {}),
    "select sum(d) over (partition by k order by t) as x from f":
        ({"x": {"f.d": "AGGREGATION", "f.k": "WINDOW", "f.t": "WINDOW"}}, {}),
    "with c as (select k, d * 2 as e from f where t > 0) select k, max(e) as m from c group by all":
        ({"k": {"f.k": "IDENTITY"}, "m": {"f.d": "AGGREGATION"}}, {"f.t": "FILTER", "f.k": "GROUP_BY"}),
    "select k from f union all select k from a": ({"k": {"f.k": "IDENTITY", "a.k": "IDENTITY"}}, {}),
    "select k from f except select k from a": ({"k": {"f.k": "IDENTITY"}}, {"a.k": "FILTER"}),
    "select k from f where exists (select 1 from a where a.k = f.k and name > '')":
        ({"k": {"f.k": "IDENTITY"}}, {"f.k": "FILTER", "a.k": "FILTER", "a.name": "FILTER"}),
    "select k, (select max(name) from a where a.k = f.k) as n from f":
        ({"k": {"f.k": "IDENTITY"}, "n": {"a.name": "AGGREGATION"}}, {"a.k": "FILTER", "f.k": "FILTER"}),
    "select * exclude (t) from f qualify row_number() over (partition by k order by t) = 1":
        ({"k": {"f.k": "IDENTITY"}, "d": {"f.d": "IDENTITY"}}, {"f.k": "FILTER", "f.t": "FILTER"}),
    "with unused as (select k from a where name = 'x') select k from f": ({"k": {"f.k": "IDENTITY"}}, {}),
}  # fmt: skip


@pytest.mark.parametrize("sql", CASES)
def test_ways(sql: str) -> None:
    found = lineage(sql)
    assert found is not None
    fields, dataset = CASES[sql]
    assert {name: flat(uses) for name, uses in found.fields.items()} == fields
    assert flat(found.dataset) == dataset


def test_counting_masks() -> None:
    found = lineage("select count(d) as n, sum(d) as s from f")
    assert found is not None
    ways = {
        name: [how.masking for hows in uses.values() for how in hows] for name, uses in found.fields.items()
    }
    assert ways == {"n": [True], "s": [False]}


@pytest.mark.parametrize("sql", [
    "select columns('.*') from f", "select nosuch from f", "select k from nosuch",
    "select k from f where (", "select k, d as k from f",
])  # fmt: skip
def test_what_is_not_certain_is_not_said(sql: str) -> None:
    assert lineage(sql) is None
