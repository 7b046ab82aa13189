select o, i, cdme, count(*) as __cdme_n from {{ ref('hidden_names') }} where __cdme_p1 > 1 group by all
