select id, note from {{ ref('orders') }} order by id desc limit 3 offset 1
