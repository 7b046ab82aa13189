{% snapshot a_snapshot %}
{{ config(unique_key='id', strategy='check', check_cols=['v'], target_schema='main') }}
select id, v from {{ ref('raw') }}
{% endsnapshot %}
