select id from {{ ref('orders') }} union select id from {{ ref('customers') }} union select customer from {{ ref('orders') }}
