{{ config(materialized='table') }}
select id from {{ ref('incremental_merge') }} where v <> 'a'
