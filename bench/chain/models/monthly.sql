select date_trunc('month', shipped_on) as month, nation, sum(lines) as lines, sum(revenue) as revenue
from {{ ref('daily') }}
group by month, nation
