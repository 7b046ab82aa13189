{{ config(sql_header="set variable least = 3;") }}
select id from {{ ref('orders') }} where id > getvariable('least')
