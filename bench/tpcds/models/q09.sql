select
    case when (select count(*) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 1 and 20) > 5000
        then (select avg(ss_ext_discount_amt) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 1 and 20)
        else (select avg(ss_net_paid) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 1 and 20) end as bucket1,
    case when (select count(*) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 21 and 40) > 3000
        then (select avg(ss_ext_discount_amt) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 21 and 40)
        else (select avg(ss_net_paid) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 21 and 40) end as bucket2,
    case when (select count(*) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 41 and 60) > 4000
        then (select avg(ss_ext_discount_amt) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 41 and 60)
        else (select avg(ss_net_paid) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 41 and 60) end as bucket3,
    case when (select count(*) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 61 and 80) > 6000
        then (select avg(ss_ext_discount_amt) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 61 and 80)
        else (select avg(ss_net_paid) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 61 and 80) end as bucket4,
    case when (select count(*) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 81 and 100) > 2000
        then (select avg(ss_ext_discount_amt) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 81 and 100)
        else (select avg(ss_net_paid) from {{ source('tpcds', 'store_sales') }} where ss_quantity between 81 and 100) end as bucket5
from {{ source('tpcds', 'reason') }}
where r_reason_sk = 1
