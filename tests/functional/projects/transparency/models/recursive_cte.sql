with recursive n(i) as (select 1 union all select i + 1 from n where i < 5)
select n.i, o.note from n join {{ ref('orders') }} o on o.id = n.i
