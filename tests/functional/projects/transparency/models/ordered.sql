select id, note from {{ ref('orders') }} order by placed desc nulls last, id
