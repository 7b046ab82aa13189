{{ config(materialized='external') }}
select id, upper(v) as v from {{ ref('raw') }}
