from {{ ref('orders') }} select id, note where id > 2
