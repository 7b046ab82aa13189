select id, columns('p.*') from {{ ref('orders') }}
