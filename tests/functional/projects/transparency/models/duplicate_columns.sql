select o.id, c.id, o.id from {{ ref('orders') }} o join {{ ref('customers') }} c on o.customer = c.id
