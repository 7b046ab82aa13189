select o.id as o, c.id as i from {{ ref('orders') }} o, {{ ref('customers') }} c where o.id + c.id > 12
