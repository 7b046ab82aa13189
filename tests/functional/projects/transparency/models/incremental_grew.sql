{{ config(materialized='incremental', on_schema_change='append_new_columns', unique_key='id') }}
select id {% if var('extra_column') %}, note {% endif %} from {{ ref('orders') }}
{% if is_incremental() %} where id > 3 {% endif %}
