select id::tinyint as v from {{ ref('orders') }} union all select price from {{ ref('orders') }}
union all select 1.5::decimal(4, 2)
