select id * 100 as rowid, note from {{ ref('orders') }} where id <> 2
