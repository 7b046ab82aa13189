{{ config(materialized='incremental', incremental_strategy='append') }}
select id, v from {{ ref('raw') }} {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
