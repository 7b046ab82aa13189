select id as "Mixed Case", amount as "select", note as "with ""quotes""", placed as "ünïcode", 1 as "1"
from {{ ref('orders') }}
