select * from {{ ref('orders') }} o full join {{ ref('customers') }} c on o.customer = c.id and c.city = 'Oslo'
