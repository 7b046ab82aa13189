"""Custom materializations: captured where the table of ``create_table_as`` is the model's, else opaque."""

from __future__ import annotations

from tests.functional.project import Project, counts

MADE = (
    "{{ drop_relation_if_exists(to) }}"
    "{% call statement('main') %}{{ create_table_as(False, to, sql) }}{% endcall %}"
)
BODIES = {
    "plain": MADE,
    "swapped": "{% set made = make_intermediate_relation(to) %} {{ drop_relation_if_exists(made) }}"
    "{% call statement('main') %}{{ create_table_as(False, made, sql) }}{% endcall %}"
    "{{ drop_relation_if_exists(to) }} {{ adapter.rename_relation(made, to) }}",
    "indexed": MADE + "{% do run_query('create index on_' ~ to.identifier ~ ' on ' ~ to ~ ' (id)') %}",
    "added": MADE + "{% do run_query('insert into ' ~ to ~ ' select 9, 9') %}",
    "altered": MADE + "{% do run_query('alter table ' ~ to ~ ' add column more int') %}",
    "twofold": "{% set one = make_intermediate_relation(to) %} {{ drop_relation_if_exists(one) }}"
    "{% call statement('main') %}{{ create_table_as(False, one, sql) }}{% endcall %}"
    "{{ drop_relation_if_exists(to) }} {% call statement('then') %}"
    "{{ create_table_as(False, to, 'select * from ' ~ one) }}{% endcall %}",
    "aside": "{% set one = make_intermediate_relation(to) %} {{ drop_relation_if_exists(one) }}"
    "{% call statement('main') %}{{ create_table_as(False, one, sql) }}{% endcall %}"
    "{% do run_query('create or replace table ' ~ to ~ ' as select * from ' ~ one) %}",
    "bare": "{% call statement('main') %} create or replace table {{ to }} as {{ sql }} {% endcall %}",
}
FRAME = """{{% materialization {name}_made, default %}} {{% set to = this.incorporate(type='table') %}}
{{{{ run_hooks(pre_hooks) }}}} {body} {{{{ run_hooks(post_hooks) }}}}
{{% do adapter.commit() %}} {{{{ return({{'relations': [to]}}) }}}} {{% endmaterialization %}}
"""
EXACT = ("plain", "swapped", "indexed")
SAYS = {
    "added": "the materialization added_made writes the table after create_table_as",
    "altered": "the materialization altered_made alters the table after create_table_as",
    "twofold": "the materialization twofold_made makes several tables",
    "aside": "the materialization aside_made makes aside__dbt_tmp, and not the model's table",
    "bare": "the materialization bare_made does not go through create_table_as",
}


def project_of(project: Project) -> Project:
    model = "{{{{ config(materialized='{}_made') }}}} select id, v from {{{{ ref('raw') }}}} where v > 1"
    project.write({"raw.csv": "id,v\n1,1\n2,2\n3,3\n4,\n"})
    project.write(
        {f"macros/{name}.sql": FRAME.format(name=name, body=body) for name, body in BODIES.items()}
    )
    return project.write({f"{name}.sql": model.format(name) for name in BODIES})


def test_what_goes_through_create_table_as_is_accounted(project: Project) -> None:
    project_of(project)
    for run in (0, 1):  # the second one finds the tables of the first
        assert project.dbt("build").success
        for name in EXACT:
            row = project.ledger(name, run)["raw"]
            assert counts(row) == (4, 2, 2, 0, 0, "BALANCED"), (name, run)
            assert row["exactness"] == "exact"
            assert project.sql(f"SELECT id FROM {name} ORDER BY id") == [(2,), (3,)]
            pairs = project.sql(
                "SELECT output_key->>'rowid', input_key->>'rowid' FROM cdme.reverse_join"
                f" WHERE model LIKE '%.{name}' ORDER BY ALL"
            )
            assert pairs == [("0", "1"), ("1", "2")]


def test_what_writes_the_table_otherwise_is_opaque_and_says_so(project: Project) -> None:
    project_of(project)
    assert project.dbt("build", "--select", "raw", *SAYS).success
    for name, why in SAYS.items():
        row = project.ledger(name)["raw"]
        assert (row["exactness"], row["status"]) == ("opaque", "UNKNOWN"), name
        assert why in row["why"]
    assert project.one("SELECT count(*) FROM cdme.reverse_join WHERE model LIKE 'model.%'") == 0
    assert project.one("SELECT count(*) FROM cdme.store_edges WHERE model LIKE 'model.%'") == len(SAYS)


def test_a_gate_rolls_a_custom_materialization_back(project: Project) -> None:
    project_of(project)
    project.write({
        "m.yml": "{version: 2, models: [{name: swapped, config: {meta: {cdme: {expected_loss: [{input: raw,"
        " kind: where, max: 1, because: so}]}}}}]}"
    })  # fmt: skip
    outcome = project.dbt("build", "--select", "raw", "swapped", ok=False)
    assert outcome.status["swapped"] == "error"
    assert project.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'swapped%'") == [(0,)]
