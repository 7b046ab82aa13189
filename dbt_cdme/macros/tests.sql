{#- The laws of record accounting as generic tests. Each recounts from the relations and the stored
    keys; a row that comes back is a record that breaks the law. -#}
{% macro law_of(law, model) -%}
  {%- if target.type == 'cdme' -%}
    {{ adapter.cdme_law_sql(law, model | string) }}
  {%- else -%}
    {%- if execute -%}
      {%- do exceptions.warn("dbt_cdme." ~ law ~ " of " ~ model ~ " is not tested: the target's type is " ~ target.type ~ ", not cdme") -%}
    {%- endif -%}
    select 1 where false
  {%- endif -%}
{%- endmacro %}

{% test zero_loss(model) %}{{ dbt_cdme.law_of('zero_loss', model) }}{% endtest %}
{% test exclusive(model) %}{{ dbt_cdme.law_of('exclusive', model) }}{% endtest %}
{% test round_trip(model) %}{{ dbt_cdme.law_of('round_trip', model) }}{% endtest %}
{% test isomorphism(model) %}{{ dbt_cdme.law_of('isomorphism', model) }}{% endtest %}
{% test covered_output(model) %}{{ dbt_cdme.law_of('covered_output', model) }}{% endtest %}
{% test no_errors(model) %}{{ dbt_cdme.law_of('no_errors', model) }}{% endtest %}
