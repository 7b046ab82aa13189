{{ config(materialized='table_function') }}
select id, v from {{ ref('raw') }}
