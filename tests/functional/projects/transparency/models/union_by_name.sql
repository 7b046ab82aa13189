select id, note from {{ ref('orders') }} union all by name select "Name" as note, city, id from {{ ref('customers') }}
