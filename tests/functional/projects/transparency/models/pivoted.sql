pivot (select customer, amount, note from {{ ref('orders') }} where customer is not null) on customer in (10, 11) using sum(amount)
