select id, (select max(price) from {{ ref('orders') }} where price < 1) as top
from {{ ref('orders') }} o
where customer in (select id from {{ ref('customers') }} where city = 'Oslo')
  and not exists (select 1 from {{ ref('customers') }} c where c.id = o.customer and c."Name" = 'Bob')
