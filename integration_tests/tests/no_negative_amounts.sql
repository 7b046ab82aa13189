select order_id
from {{ ref('orders_with_customers') }}
where amount < 0
