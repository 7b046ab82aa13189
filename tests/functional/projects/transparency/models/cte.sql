with a as (select * from {{ ref('orders') }}), b as (select id, amount * 2 as twice from a where id > 1)
select b.twice, a.* from a join b using (id)
