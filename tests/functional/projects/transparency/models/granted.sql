{{ config(grants={'select': ['somebody']}) }}
select id from {{ ref('orders') }}
