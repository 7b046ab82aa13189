select id, row_number() over (partition by customer order by id) as n, lag(price) over (order by id) as before,
       sum(price) over (order by id rows between 1 preceding and current row) as moving
from {{ ref('orders') }}
