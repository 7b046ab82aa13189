select count(*) as n, sum(id) as s from {{ ref('empty') }}
