select distinct on (customer) customer, id from {{ ref('orders') }} order by customer, id
