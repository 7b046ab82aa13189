select count(distinct cs_order_number) as order_count, sum(cs_ext_ship_cost) as total_shipping_cost, sum(cs_net_profit) as total_net_profit
from {{ source('tpcds', 'catalog_sales') }} as cs1, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'customer_address') }}, {{ source('tpcds', 'call_center') }}
where d_date between cast('2001-02-01' as date) and (cast('2001-02-01' as date) + interval 180 day)
    and cs1.cs_ship_date_sk = d_date_sk
    and cs1.cs_ship_addr_sk = ca_address_sk and ca_state in ('GA', 'TN', 'TX')
    and cs1.cs_call_center_sk = cc_call_center_sk and cc_county in ('Williamson County', 'Ziebach County')
    and exists (
        select * from {{ source('tpcds', 'catalog_sales') }} as cs2
        where cs1.cs_order_number = cs2.cs_order_number and cs1.cs_warehouse_sk <> cs2.cs_warehouse_sk
    )
    and not exists (select * from {{ source('tpcds', 'catalog_returns') }} as cr1 where cs1.cs_order_number = cr1.cr_order_number)
order by count(distinct cs_order_number)
limit 100
