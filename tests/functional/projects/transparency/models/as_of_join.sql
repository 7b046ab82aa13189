select a.id, b.id as before from {{ ref('orders') }} a asof left join {{ ref('orders') }} b on a.placed > b.placed
