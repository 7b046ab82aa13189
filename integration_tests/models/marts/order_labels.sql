select
    order_id,
    upper(coalesce(status, 'unknown')) as label
from {{ ref('stg_orders') }}
