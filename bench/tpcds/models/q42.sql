select dt.d_year, item.i_category_id, item.i_category, sum(ss_ext_sales_price) as s
from {{ source('tpcds', 'date_dim') }} as dt, {{ source('tpcds', 'store_sales') }} as store_sales, {{ source('tpcds', 'item') }} as item
where dt.d_date_sk = store_sales.ss_sold_date_sk and store_sales.ss_item_sk = item.i_item_sk and item.i_manager_id = 1
    and dt.d_moy = 11 and dt.d_year = 2000
group by dt.d_year, item.i_category_id, item.i_category
order by s desc, dt.d_year, item.i_category_id, item.i_category
limit 100
