select amount, amount * 1.005 as more, amount / 3 as third, sum(amount) over () as total,
       round(amount, 1) as rounded, cast(price as decimal(38, 2)) as p
from {{ ref('orders') }} where price < 10
