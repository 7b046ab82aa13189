{{ config(contract={'enforced': true}) }}
select customer, sum(price) as total from {{ ref('orders') }} group by customer
