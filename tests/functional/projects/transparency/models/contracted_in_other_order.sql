{{ config(contract={'enforced': true}) }}
select note as b, id as a from {{ ref('orders') }} order by id desc
