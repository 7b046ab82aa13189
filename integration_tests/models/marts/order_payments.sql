select
    orders.order_id,
    payments.payment_id,
    payments.method,
    payments.paid
from {{ ref('stg_orders') }} as orders
left join {{ ref('raw_payments') }} as payments
    on orders.order_id = payments.order_id
