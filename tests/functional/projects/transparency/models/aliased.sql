{{ config(alias='Another Name') }}
select id from {{ ref('orders') }}
