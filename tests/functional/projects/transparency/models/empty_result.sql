select id, note, amount from {{ ref('orders') }} where id < 0
