select
    orders.order_id,
    orders.ordered_on,
    orders.amount,
    customers.customer_id,
    customers.name,
    customers.country
from {{ ref('stg_live_orders') }} as orders
inner join {{ ref('raw_customers') }} as customers
    on orders.customer_id = customers.customer_id
