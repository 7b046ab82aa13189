select o.id, c."Name", c.city from {{ ref('orders') }} o left join {{ ref('customers') }} c on o.customer = c.id
