select id, {'a': amount, 'b': [note, null]} as s, [id, customer] as l, map {coalesce(note, ''): amount} as m,
       [[1.5], []] as ll, {'x': {'y': placed}} as deep, row(1, 'a') as r, union_value(k := id) as u,
       array_value(1, 2, 3) as fixed
from {{ ref('orders') }}
