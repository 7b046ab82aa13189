{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='id') }}
select id, v from {{ ref('raw') }} where id > 1
