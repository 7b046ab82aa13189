select s.order_id, s.line, s.shipped_on, s.quantity, s.revenue, o.o_orderpriority as priority,
    c.c_mktsegment as segment, n.n_name as nation
from {{ ref('staging') }} as s
join {{ source('tpch', 'orders') }} as o on s.order_id = o.o_orderkey
join {{ source('tpch', 'customer') }} as c on o.o_custkey = c.c_custkey
left join {{ source('tpch', 'nation') }} as n on c.c_nationkey = n.n_nationkey
