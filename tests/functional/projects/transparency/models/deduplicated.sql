select * from {{ ref('orders') }} qualify row_number() over (partition by customer order by placed desc, id) = 1
