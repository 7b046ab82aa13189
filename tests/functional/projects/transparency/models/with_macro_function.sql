select id, note is null as missing, list_transform([1, 2], lambda x: x + id) as l from {{ ref('orders') }}
