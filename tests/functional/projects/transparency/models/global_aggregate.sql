select sum(price) as s, list(note order by id) as notes, max(placed) as latest from {{ ref('orders') }}
