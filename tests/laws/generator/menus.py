"""What cases are made of: ``CORE`` for the first release, ``FULL`` for everything."""

from __future__ import annotations

from tests.laws.generator import items, subqueries
from tests.laws.generator.maker import Menu
from tests.laws.generator.shapes import (
    distinct,
    group,
    grouping,
    join,
    lateral,
    limit,
    offset,
    project,
    setops,
    special_joins,
    syntax,
    union,
    window,
)

CORE = Menu(
    {
        "project": project.project,
        "join": join.join,
        "group": group.group,
        "join using": join.join_using,
        "window": window.window,
        "qualify": window.qualify,
        "row_number dedup": window.dedup,
        "distinct": distinct.distinct,
        "distinct on": distinct.distinct_on,
        "union all": union.union_all,
        "union": union.union,
        "limit": limit.limit,
        "global aggregate": group.global_aggregate,
    }
)

FULL = Menu(
    {
        **CORE.shapes,
        "project more": project.project,
        "join more": join.join,
        "intersect": setops.intersect,
        "except": setops.except_,
        "set operation all": setops.all_,
        "union by name": setops.by_name,
        "lateral": lateral.lateral,
        "unnest in from": lateral.unnest_from,
        "unnest in select": lateral.unnest_select,
        "joins behind commas": lateral.behind_commas,
        "unnest beside groups or windows": lateral.unnest_beside,
        "grouping sets": grouping.grouping_sets,
        "semi join": special_joins.semi_join,
        "anti join": special_joins.anti_join,
        "asof join": special_joins.asof_join,
        "positional join": special_joins.positional_join,
        "asof or positional, later": special_joins.neighbours_later,
        "volatile join": special_joins.chance_join,
        "natural join": special_joins.natural_join,
        "nested join": special_joins.nested_join,
        "offset": offset.offset,
        "stars": syntax.stars,
        "from first": syntax.from_first,
        "aliases": syntax.aliases,
        "alias hides a column": syntax.alias_hides,
        "columns()": syntax.columns,
        "named window": syntax.named_window,
        "window over groups": syntax.window_over_groups,
        "lists, structs, lambdas": syntax.nested_values,
        "tuple in": syntax.tuple_in,
        "subquery in having": syntax.having_subquery,
        "macro over a table": syntax.reading_macro,
        "unpivot": syntax.unpivot,
        "recursive cte": syntax.recursive,
        "unused cte": syntax.unused_cte,
        "quoted names": syntax.quoted,
    },
    {
        "in": subqueries.in_,
        "not in": subqueries.not_in,
        "in a list with a subquery": subqueries.in_list,
        "exists": subqueries.exists,
        "not exists": subqueries.not_exists,
        "quantified": subqueries.quantified,
    },
    {
        "scalar subquery": subqueries.scalar_aggregate,
        "scalar subquery with limit": subqueries.scalar_first,
        "predicate subquery in case": subqueries.case_exists,
    },
    {
        "values": items.values,
        "series": items.series,
        "values with a subquery": items.asking_values,
        "series with a subquery": items.asking_series,
        "unnest with a subquery": items.asking_unnest,
        "table macro": items.table_macro,
        "recursive series": items.recursive_series,
        "a cte with its table's name": items.namesake,
    },
)
