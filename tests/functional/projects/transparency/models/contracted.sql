{{ config(contract={'enforced': true}) }}
select id, note, amount from {{ ref('orders') }}
