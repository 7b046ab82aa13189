select id, 'o' as kind from {{ ref('orders') }} union all select id, 'c' from {{ ref('customers') }}
