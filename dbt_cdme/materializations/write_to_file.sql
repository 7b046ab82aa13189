{#- Where an external model writes its file: beside its place, until the model's account is committed. -#}
{% macro write_to_file(relation, location, options) -%}
  {%- set staged = adapter.cdme_stage(location, options) -%}
  {% call statement('write_to_file') -%}
    copy {{ relation }} to '{{ staged }}' ({{ options }})
  {%- endcall %}
{% endmacro %}
