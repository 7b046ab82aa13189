select customer, sum(price) as s, avg(price) as a, stddev(price) as d, sum(amount) as exact, count(*) as n
from {{ ref('orders') }} group by customer having count(*) >= 1
