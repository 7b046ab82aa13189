{{ config(materialized='ephemeral') }}
select id, note, price from {{ ref('a_view') }} where id > 1
