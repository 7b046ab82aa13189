select substr(r_reason_desc, 1, 20) as reason, avg(ws_quantity) as q, avg(wr_refunded_cash) as c, avg(wr_fee) as f
from {{ source('tpcds', 'web_sales') }}, {{ source('tpcds', 'web_returns') }}, {{ source('tpcds', 'web_page') }}, {{ source('tpcds', 'customer_demographics') }} as cd1, {{ source('tpcds', 'customer_demographics') }} as cd2, {{ source('tpcds', 'customer_address') }}, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'reason') }}
where ws_web_page_sk = wp_web_page_sk and ws_item_sk = wr_item_sk and ws_order_number = wr_order_number
    and ws_sold_date_sk = d_date_sk and d_year in (2000, 2001)
    and cd1.cd_demo_sk = wr_refunded_cdemo_sk and cd2.cd_demo_sk = wr_returning_cdemo_sk and ca_address_sk = wr_refunded_addr_sk
    and r_reason_sk = wr_reason_sk
    and (
        (cd1.cd_marital_status = 'M' and cd1.cd_marital_status = cd2.cd_marital_status and cd1.cd_education_status = 'Advanced Degree'
            and cd1.cd_education_status = cd2.cd_education_status and ws_sales_price between 10.00 and 150.00)
        or (cd1.cd_marital_status = 'S' and cd1.cd_marital_status = cd2.cd_marital_status and cd1.cd_education_status = 'College'
            and cd1.cd_education_status = cd2.cd_education_status and ws_sales_price between 5.00 and 100.00)
        or (cd1.cd_marital_status = 'W' and cd1.cd_marital_status = cd2.cd_marital_status and cd1.cd_education_status = '2 yr Degree'
            and cd1.cd_education_status = cd2.cd_education_status and ws_sales_price between 15.00 and 200.00)
    )
    and (
        (ca_country = 'United States' and ca_state in ('IN', 'OH', 'TN', 'GA') and ws_net_profit between -5000 and 2000)
        or (ca_country = 'United States' and ca_state in ('OK', 'TX', 'KY') and ws_net_profit between -5000 and 3000)
        or (ca_country = 'United States' and ca_state in ('VA', 'SD', 'MS') and ws_net_profit between -5000 and 2500)
    )
group by r_reason_desc
order by reason, q, c, f
limit 100
