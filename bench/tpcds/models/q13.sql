select avg(ss_quantity) as q, avg(ss_ext_sales_price) as p, avg(ss_ext_wholesale_cost) as w, sum(ss_ext_wholesale_cost) as s
from {{ source('tpcds', 'store_sales') }}, {{ source('tpcds', 'store') }}, {{ source('tpcds', 'customer_demographics') }}, {{ source('tpcds', 'household_demographics') }}, {{ source('tpcds', 'customer_address') }}, {{ source('tpcds', 'date_dim') }}
where s_store_sk = ss_store_sk and ss_sold_date_sk = d_date_sk and d_year = 2001
    and (
        (ss_hdemo_sk = hd_demo_sk and cd_demo_sk = ss_cdemo_sk and cd_marital_status = 'M' and cd_education_status = 'Advanced Degree'
            and ss_sales_price between 100.00 and 150.00 and hd_dep_count between 0 and 6)
        or (ss_hdemo_sk = hd_demo_sk and cd_demo_sk = ss_cdemo_sk and cd_marital_status = 'S' and cd_education_status = 'College'
            and ss_sales_price between 50.00 and 100.00 and hd_dep_count between 1 and 8)
        or (ss_hdemo_sk = hd_demo_sk and cd_demo_sk = ss_cdemo_sk and cd_marital_status = 'W' and cd_education_status = '2 yr Degree'
            and ss_sales_price between 10.00 and 150.00 and hd_dep_count between 1 and 8)
    )
    and (
        (ss_addr_sk = ca_address_sk and ca_country = 'United States' and ca_state in ('TX', 'OH', 'TN') and ss_net_profit between -900 and 2000)
        or (ss_addr_sk = ca_address_sk and ca_country = 'United States' and ca_state in ('OK', 'GA', 'KY') and ss_net_profit between -900 and 3000)
        or (ss_addr_sk = ca_address_sk and ca_country = 'United States' and ca_state in ('VA', 'CA', 'MS') and ss_net_profit between -900 and 2500)
    )
