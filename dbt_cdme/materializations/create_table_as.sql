{#- The choke point of every SQL table that dbt-duckdb builds. The text is dbt-duckdb's own; the
    adapter is told which query stands in it, and captures when the statement is executed. Of a python
    model it is told which table its code is going to write. -#}
{% macro cdme__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none) -%}
  {%- if language == 'sql' and not partitioned_by and not sorted_by -%}
    {%- do adapter.cdme_arm(relation, temporary, compiled_code, config.get('sql_header')) -%}
  {%- elif language == 'python' -%}
    {%- do adapter.cdme_arm_python(relation, temporary) -%}
  {%- endif -%}
  {{ return(duckdb__create_table_as(temporary, relation, compiled_code, language, partitioned_by=partitioned_by, sorted_by=sorted_by)) }}
{%- endmacro %}
