-- The last line of every order.
select *
from {{ source('tpch', 'lineitem') }}
qualify row_number() over (partition by l_orderkey order by l_linenumber desc) = 1
