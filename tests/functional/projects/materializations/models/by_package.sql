{{ config(materialized='copied') }}
select id from {{ ref('raw') }}
