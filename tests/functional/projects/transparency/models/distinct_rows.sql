select distinct customer, amount from {{ ref('orders') }}
