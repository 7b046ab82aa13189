select * exclude (note) replace (amount + 1 as amount) from {{ ref('orders') }}
