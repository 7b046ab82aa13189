(select customer from {{ ref('orders') }} except select 11) intersect select id from {{ ref('customers') }}
