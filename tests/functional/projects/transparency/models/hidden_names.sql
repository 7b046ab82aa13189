select id as __cdme_p1, amount as "__cdme_r1", customer as cdme, note as o, placed as i from {{ ref('orders') }}
