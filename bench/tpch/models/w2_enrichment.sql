-- Every line item looks three things up.
select l.*, p.p_name, p.p_brand, s.s_name, s.s_nationkey, o.o_orderdate, o.o_orderpriority
from {{ source('tpch', 'lineitem') }} l
left join {{ source('tpch', 'part') }} p on l.l_partkey = p.p_partkey
left join {{ source('tpch', 'supplier') }} s on l.l_suppkey = s.s_suppkey
left join {{ source('tpch', 'orders') }} o on l.l_orderkey = o.o_orderkey
