select shipped_on, nation, count(*) as lines, sum(revenue) as revenue, sum(quantity) as quantity
from {{ ref('enrichment') }}
group by shipped_on, nation
