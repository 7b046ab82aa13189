select s_store_name, sum(ss_net_profit) as profit
from {{ source('tpcds', 'store_sales') }}, {{ source('tpcds', 'date_dim') }}, {{ source('tpcds', 'store') }},
    (
        select ca_zip
        from (
            select substr(ca_zip, 1, 5) as ca_zip
            from {{ source('tpcds', 'customer_address') }}
            where substr(ca_zip, 1, 5) in ('85669', '86197', '88274', '83405', '24128', '35709', '60169', '31904', '38605', '30903')
            intersect
            select ca_zip
            from (
                select substr(ca_zip, 1, 5) as ca_zip, count(*) as cnt
                from {{ source('tpcds', 'customer_address') }}, {{ source('tpcds', 'customer') }}
                where ca_address_sk = c_current_addr_sk and c_preferred_cust_flag = 'Y'
                group by ca_zip
                having count(*) > 10
            ) as a1
        ) as a2
    ) as v1
where ss_store_sk = s_store_sk
    and ss_sold_date_sk = d_date_sk
    and d_qoy = 2 and d_year = 1998
    and substr(s_zip, 1, 2) = substr(v1.ca_zip, 1, 2)
group by s_store_name
order by s_store_name
limit 100
