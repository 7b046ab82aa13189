-- Many groups over everything.
select o_custkey, count(*) as lines, sum(l_extendedprice) as total, max(l_shipdate) as last_ship
from {{ source('tpch', 'lineitem') }}
join {{ source('tpch', 'orders') }} on l_orderkey = o_orderkey
group by o_custkey
