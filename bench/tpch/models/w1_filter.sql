-- A wide filter and projection over every line item.
select
    l_orderkey, l_linenumber, l_partkey, l_suppkey, l_quantity, l_extendedprice, l_discount, l_tax,
    l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate,
    l_extendedprice * (1 - l_discount) as revenue
from {{ source('tpch', 'lineitem') }}
where l_shipdate >= date '1994-06-01' and l_quantity > 5 and l_returnflag <> 'A'
