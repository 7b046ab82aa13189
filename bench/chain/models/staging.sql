select
    l_orderkey as order_id,
    l_linenumber as line,
    l_shipdate as shipped_on,
    l_quantity as quantity,
    l_extendedprice * (1 - l_discount) as revenue
from {{ source('tpch', 'lineitem') }}
where l_shipdate >= date '1992-02-01'
