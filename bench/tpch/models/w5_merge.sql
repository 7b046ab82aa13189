-- The first run writes everything, the second merges a tenth of it again.
{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['o_orderkey']) }}
select o_orderkey, o_custkey, o_totalprice, o_orderdate
from {{ source('tpch', 'orders') }}
{% if is_incremental() %}where o_orderkey % 10 = 3{% endif %}
