{{ config(materialized='external', location='target/orders_file.parquet') }}

select order_id, amount
from {{ ref('orders_with_customers') }}
