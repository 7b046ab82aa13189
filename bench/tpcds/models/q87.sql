select count(*) as c
from (
    (
        select distinct c_last_name, c_first_name, d_date from {{ source('tpcds', 'store_sales') }}, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'customer') }}
        where ss_sold_date_sk = d_date_sk and ss_customer_sk = c_customer_sk and d_month_seq between 1200 and 1200 + 11
    )
    except
    (
        select distinct c_last_name, c_first_name, d_date from {{ source('tpcds', 'catalog_sales') }}, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'customer') }}
        where cs_sold_date_sk = d_date_sk and cs_bill_customer_sk = c_customer_sk and d_month_seq between 1200 and 1200 + 11
    )
    except
    (
        select distinct c_last_name, c_first_name, d_date from {{ source('tpcds', 'web_sales') }}, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'customer') }}
        where ws_sold_date_sk = d_date_sk and ws_bill_customer_sk = c_customer_sk and d_month_seq between 1200 and 1200 + 11
    )
) as cool_cust
