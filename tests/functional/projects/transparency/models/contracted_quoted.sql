{{ config(contract={'enforced': true}) }}
select id as "Order Id", customer as "select" from {{ ref('orders') }} where customer is not null
