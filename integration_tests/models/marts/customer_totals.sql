select
    customer_id,
    count(*) as orders,
    sum(amount) as amount,
    max(ordered_on) as last_order
from {{ ref('orders_with_customers') }}
group by customer_id
having count(*) > 1
