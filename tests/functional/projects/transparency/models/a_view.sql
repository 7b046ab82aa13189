{{ config(materialized='view') }}
select id, note, price from {{ ref('orders') }} where id < 6
