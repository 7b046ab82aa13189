{{ config(
    pre_hook=[{'sql': "insert into main.audit values ('before, outside')", 'transaction': false},
              "insert into main.audit values ('before, inside')"],
    post_hook=["insert into main.audit select 'after, inside: ' || count(*) from {{ this }}"]) }}
select id from {{ ref('orders') }} where id > 3
